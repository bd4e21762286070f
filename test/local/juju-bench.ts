import { rm, writeFile } from 'node:fs/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { GetObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, StartExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from 'vitest';
import { s3Bucket } from '#aws/bucket';
import { s3Client, sfnClient } from '#aws/clients';
import { kmsSignatures } from '#aws/signatures';
import { JujuManifest } from '#domain/manifest';
import { manifestKey, parseManifestKey, stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { signed } from '#domain/vault/signature';
import type { JujuEra } from '#local/lab/juju/node';
import type { LabNode } from '#local/lab/node';
import { type Lab, type LabOptions, startLab } from '#local/runtime/lab';
import { type Ending, remainders } from './harness.ts';

/** A holdfast.yaml with a client and state servers, one or three; these by their names, since a restore makes new ones. */
export const environment = (servers: 1 | 3, of: 'my-env' | 'controller', controller?: string): string => `
systems:
  juju-main:
    kind: juju
${controller === undefined ? '' : `    controller: ${controller}`}
    nodes:
      - { instance: i-0123456789abcdeff, roles: [juju-client] }
${Array.from({ length: servers }, (_, number) => `      - { tag: { key: Name, value: juju-${of}-machine-${number} }, roles: [juju-controller] }\n`).join('')}`;

const restoreInput = { backup: 'latest', safetyBackup: false, confirm: 'juju-main' };

/** A lab with one system of Juju and what a test does with it. */
export const startJujuBench = async (era: JujuEra, servers: 1 | 3 = 1, options: Partial<LabOptions> = {}) => {
  const lab: Lab = await startLab({
    pollMilliseconds: 100,
    configuration: environment(servers, era.startsWith('1.') ? 'my-env' : 'controller', 'my-env'),
    eras: { 'juju-main': era },
    ...options,
  });
  const juju = lab.juju['juju-main'];
  if (!juju) throw new Error('the lab has no Juju');
  const [s3, sfn] = [s3Client(), sfnClient()];
  const vault = s3Bucket(s3, lab.runtime.vaultBucket);
  const state = s3Bucket(s3, lab.runtime.stateBucket);

  /** Instances that are powered on. */
  const running = (): LabNode[] =>
    juju.cloud.nodes.filter(({ instanceId }) => juju.cloud.state(instanceId) === 'running');

  const start = async (machine: string, input: object): Promise<string> => {
    const { executionArn } = await sfn.send(
      new StartExecutionCommand({
        stateMachineArn: lab.runtime.stateMachineArn(machine),
        input: JSON.stringify({ system: 'juju-main', ...input }),
      }),
    );
    return executionArn ?? '';
  };

  const run = async (machine: string, input: object): Promise<Ending> => {
    const executionArn = await start(machine, input);
    for (;;) {
      const { status, error, cause, output } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
      if (status !== 'RUNNING')
        return { status: status ?? '', error, cause: cause ?? '', output: JSON.parse(output ?? '{}') };
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  const succeed = async (command: string): Promise<string> => {
    const { code, stdout, stderr } = await juju.juju(command);
    if (code !== 0) throw new Error(`${command}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  };

  const shell = async (on: LabNode, command: string): Promise<string> => {
    const { code, stdout, stderr } = await on.exec(command);
    if (code !== 0) throw new Error(`${command}: ${stdout}${stderr}`);
    return stdout;
  };

  return {
    lab,
    juju,
    vault,
    client: juju.client,
    machine: (name: string): LabNode => juju.machine(name),
    succeed,
    shell,
    backUp: (): Promise<Ending> => run('holdfast-backup', {}),
    /** Removes a run's traces once more. */
    undo: (of: string): Promise<Ending> => run('holdfast-undo', { run: of }),
    restore: (input: object = {}): Promise<Ending> => run('holdfast-restore', { ...restoreInput, ...input }),
    upgrade: (input: object): Promise<Ending> => run('holdfast-upgrade', { confirm: 'juju-main', ...input }),
    /** Starts an operation and aborts it as soon as `moment` has come. */
    abort: async (
      machine: 'holdfast-backup' | 'holdfast-restore' | 'holdfast-upgrade',
      input: object,
      moment: (execution: string) => Promise<unknown>,
    ): Promise<void> => {
      const executionArn = await start(machine, machine === 'holdfast-restore' ? { ...restoreInput, ...input } : input);
      await moment(executionArn);
      await sfn.send(new StopExecutionCommand({ executionArn, error: 'Stopped', cause: 'by a test' }));
    },
    /** Objects that a restore lets the nodes read. */
    opened: async (): Promise<readonly string[]> => {
      const opened: string[] = [];
      for (const key of await vault.list('backups/'))
        if ((await vault.tags({ key }))[tagKeys.restore] !== undefined) opened.push(key);
      return opened;
    },
    applications: async (): Promise<string[]> => {
      const model = era.startsWith('1.') ? '' : '-m default';
      const status = JSON.parse(await succeed(`juju status ${model} --format json`));
      return Object.keys(status.services ?? status.applications);
    },
    manifest: async (backup: string): Promise<JujuManifest> =>
      JujuManifest.parse(JSON.parse((await vault.read(vaultKeys.manifest('juju-main', backup)))?.text ?? '{}')),
    /** Plays a fault on a node until the test ends. */
    play: async (node: LabNode, fault: string, text = ''): Promise<() => Promise<void>> => {
      const file = node.path(`/etc/juju-lab/${fault}`);
      await writeFile(file, text);
      const end = (): Promise<void> => rm(file, { force: true });
      onTestFinished(end);
      return end;
    },
    /** What a run may leave behind, and must not. */
    traces: async () => ({
      manifests: (await vault.list(vaultKeys.catalog('juju-main'))).flatMap(
        (key) => parseManifestKey(key)?.backup ?? [],
      ),
      objects: await vault.list('backups/'),
      uploads: (
        (await s3.send(new ListMultipartUploadsCommand({ Bucket: lab.runtime.vaultBucket }))).Uploads ?? []
      ).map(({ Key }) => Key ?? ''),
      lock: (await state.read(stateKeys.lock('juju-main'))) !== undefined,
      onNodes: (
        await Promise.all(
          running().map(async (node) => {
            const { stdout } = await node.exec(`${remainders}\nfind /tmp -name 'juju-backup-*.tar.gz' 2>/dev/null`);
            return stdout.split('\n').filter((line) => line !== '');
          }),
        )
      ).flat(),
      down: await servicesDown(running()),
    }),
    /** Puts another manifest in the place of the newest, signed as if its commit had written it. */
    putManifest: async (text: string): Promise<void> => {
      const manifest = JujuManifest.parse(JSON.parse(text));
      const key = vaultKeys.manifest('juju-main', manifest.backup);
      const own = await signed(kmsSignatures({}, manifestKey), key, JSON.stringify(manifest, undefined, 2));
      await vault.replace(key, own, (await vault.read(key))?.etag ?? '');
    },
    /** The bytes of an object in the vault. */
    object: async (Key: string): Promise<Buffer> => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: lab.runtime.vaultBucket, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    /** Removes every committed backup, so that the next test begins with an empty vault. */
    forget: async (): Promise<void> => {
      for (const key of await vault.list('')) await vault.delete(key);
    },
    close: async (): Promise<void> => {
      s3.destroy();
      sfn.destroy();
      await lab.close();
    },
  };
};

export type JujuBench = Awaited<ReturnType<typeof startJujuBench>>;

/** A lab for all tests of a file; each begins with an empty vault, unless backups are to be kept. */
export const useJujuBench = (
  era: JujuEra,
  servers: 1 | 3 = 1,
  options: Partial<LabOptions> = {},
  backups: 'forget' | 'keep' = 'forget',
): (() => JujuBench) => {
  let bench: JujuBench;
  beforeAll(async () => {
    bench = await startJujuBench(era, servers, options);
  });
  if (backups === 'forget') afterEach(() => bench.forget());
  afterAll(() => bench?.close());
  return () => bench;
};

/** The archive that a backup has stored. */
export const archiveOf = (manifest: JujuManifest) => {
  const [found] = manifest.artifacts.flatMap(({ node, collected }) =>
    collected.kind === 'juju' ? [{ node, ...collected }] : [],
  );
  if (!found) throw new Error('the manifest has no archive of Juju');
  return found;
};

/** What Juju told the client when the backup was taken. */
export const clientOf = (manifest: JujuManifest) =>
  manifest.nodes.map(({ inspection }) => inspection.client).find((client) => client !== null);

/** Runs a backup that must fail, and looks that nothing is left of it. */
export const failedBackup = async (bench: JujuBench): Promise<string> => {
  const { status, error, cause } = await bench.backUp();
  expect(status).toBe('FAILED');
  expect(await bench.traces()).toEqual(noTraces);
  return `${error}: ${cause}`;
};

/** Backs up and gives back the manifest. */
export const backedUp = async (bench: JujuBench): Promise<JujuManifest> => {
  const { status, cause, output } = await bench.backUp();
  expect({ status, cause }).toEqual({ status: 'SUCCEEDED', cause: '' });
  expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNodes: [], down: [] });
  return bench.manifest(output.backup ?? '');
};

/** Backs up a controller of 2.x or later with one application, which gets another one afterwards. */
export const changed = async (bench: JujuBench): Promise<JujuManifest> => {
  await bench.succeed('juju remove-application wordpress; juju deploy mysql');
  const manifest = await backedUp(bench);
  await bench.succeed('juju deploy wordpress');
  return manifest;
};

/** Runs a restore that must fail, and looks that no trace of it is left on any node. */
export const failedRestore = async (bench: JujuBench, input: object = {}): Promise<string> => {
  const { status, error, cause } = await bench.restore(input);
  expect(status).toBe('FAILED');
  expect(await bench.traces()).toMatchObject({ lock: false, onNodes: [], down: [] });
  return `${error}: ${cause}`;
};

/** Gives every instance what a backup needs of it, as the result of a restore says. */
export const takeIn = async ({ juju: { cloud } }: JujuBench): Promise<void> => {
  for (const node of cloud.nodes)
    await cloud.takeIn(node, { Name: node.hostname.split('.')[0] ?? '', [tagKeys.system]: 'juju-main' });
};

/** Runs a restore, takes a new state server in, as its result says, and gives back what it has compared. */
export const restored = async (bench: JujuBench, input: object = {}): Promise<string> => {
  const { status, cause, output } = await bench.restore(input);
  expect({ status, cause }).toEqual({ status: 'SUCCEEDED', cause: '' });
  await takeIn(bench);
  expect(await bench.traces()).toMatchObject({ lock: false, onNodes: [], down: [] });
  return output.proof?.compared.join('\n') ?? '';
};

/** Waits until an aborted run is undone: mongo and agents run, and nothing is left of it. */
export const expectNothingLeft = async (bench: JujuBench): Promise<void> => {
  await expect
    .poll(async () => ({ ...(await bench.traces()), opened: await bench.opened() }), { timeout: 90_000, interval: 250 })
    .toMatchObject({ uploads: [], lock: false, onNodes: [], down: [], opened: [] });
};

/** The paths in a stored archive. */
export const listed = async (bench: JujuBench, manifest: JujuManifest): Promise<string[]> => {
  const { contents } = archiveOf(manifest);
  const bytes = await bench.object(contents.key);
  const text = (contents.compression === 'zstd' ? zstdDecompressSync(bytes) : gunzipSync(bytes)).toString();
  return text.split('\n').map((line) => line.split('\t')[1] ?? '');
};

/** Databases and agents of Juju that do not run, by their nodes. */
const servicesDown = async (nodes: readonly LabNode[]): Promise<string[]> => {
  const down = nodes.map(async (node) => {
    const { stdout } = await node.exec(
      `for job in $(cd / && ls etc/init/juju*.conf 2>/dev/null | sed 's|.*/||; s|.conf$||'); do initctl status $job | grep -q start/running || echo $job; done
       for unit in $(cd / && ls etc/systemd/system/*juju*.service 2>/dev/null | sed 's|.*/||; s|.service$||'); do systemctl is-active --quiet $unit || echo $unit; done`,
    );
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `${node.hostname}: ${line}`);
  });
  return (await Promise.all(down)).flat();
};

export const noTraces = { manifests: [], objects: [], uploads: [], lock: false, onNodes: [], down: [] };
