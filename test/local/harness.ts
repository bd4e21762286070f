import { readFileSync } from 'node:fs';
import { DeleteObjectCommand, ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  ListExecutionsCommand,
  RedriveExecutionCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { s3Bucket } from '#aws/bucket';
import { s3Client, sfnClient } from '#aws/clients';
import type { PuppetRole } from '#domain/config';
import { PuppetManifest } from '#domain/manifest';
import { parseManifestKey, type StateMachineName, stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import type { RestoreSummary } from '#domain/payloads';
import type { ObjectVersion } from '#domain/ports';
import type { PuppetHost } from '#local/lab/layer';
import type { LabNode } from '#local/lab/node';
import { pe32 } from '#local/lab/pe32/product';
import { servicesOf } from '#local/lab/product';
import { type Lab, type LabOptions, startLab } from '#local/runtime/lab';
import type { S3Request, Verdict } from '#local/runtime/s3-request';
import { entered } from './executions.ts';

export const instanceId = 'i-0123456789abcdef0';

/** A holdfast.yaml with one monolithic master. */
export const monolithic = (consistency: 'live' | 'quiesced' = 'live', more = ''): string => `
systems:
  pe-main:
    kind: puppet-enterprise
    consistency: ${consistency}
    nodes:
      - instance: ${instanceId}
        roles: [master, puppetdb, console]
${more}`;

/** A holdfast.yaml with master, PuppetDB and console on nodes of their own. */
export const split = (consistency: 'live' | 'quiesced' = 'live', more = ''): string => `
systems:
  pe-main:
    kind: puppet-enterprise
    consistency: ${consistency}
    nodes:
      - { instance: ${instanceId}, roles: [master] }
      - { instance: i-0123456789abcdef1, roles: [puppetdb] }
      - { instance: i-0123456789abcdef2, roles: [console] }
${more}`;

/** A holdfast.yaml with a large environment, whose nodes beyond the core are found by their tags. */
export const large = (more = ''): string => `
systems:
  pe-main:
    kind: puppet-enterprise
    loadBalancer: loadbalancer.pe.example.com
    ${more}
    nodes:
      - { instance: ${instanceId}, roles: [master] }
      - { instance: i-0123456789abcdef1, roles: [puppetdb] }
      - { instance: i-0123456789abcdef2, roles: [console] }
      - { tag: { key: Role, value: compile }, roles: [compile-master] }
      - { tag: { key: Role, value: hub }, roles: [activemq-hub] }
      - { tag: { key: Role, value: spoke }, roles: [activemq-spoke], optional: true }
      - { tag: { key: Wave, value: canary }, roles: [agent], canary: true }
      - { tag: { key: Wave, value: rest }, roles: [agent] }
`;

/** How an execution ended. */
export interface Ending {
  readonly status: string;
  readonly error: string | undefined;
  readonly cause: string;
  readonly output: {
    readonly outcome?: string;
    readonly backup?: string;
    readonly run?: string;
    readonly safety?: { readonly backup: string };
    readonly proof?: { readonly compared: readonly string[]; readonly told: readonly string[] };
    readonly plan?: { readonly summary: RestoreSummary };
  };
}

/** What a run may leave behind, and must not. */
export interface Traces {
  readonly manifests: readonly string[];
  readonly objects: readonly string[];
  readonly uploads: readonly string[];
  readonly lock: boolean;
  readonly onNode: string;
  readonly servicesDown: readonly string[];
}

export const noTraces: Traces = { manifests: [], objects: [], uploads: [], lock: false, onNode: '', servicesDown: [] };

/**
 * A command that prints what runs have left on a node. What is meant to stay there is not among it: marks of undone runs, used tickets,
 * logs of installers.
 */
export const remainders = `find /var/lib/holdfast -mindepth 2 ${['undone', 'tickets', 'logs'].map((kept) => `! -path '/var/lib/holdfast/${kept}/*'`).join(' ')} 2>/dev/null
grep -zahE '^HOLDFAST_(RUN|WATCHDOG)=' /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'`;

/** The states of a machine that do something, in their order, but for the way out. */
export const statesOf = (machine: StateMachineName): readonly string[] => {
  const { States } = z
    .object({ States: z.record(z.string(), z.object({ Type: z.string() })) })
    .parse(JSON.parse(readFileSync(new URL(`../../statemachines/${machine}.asl.json`, import.meta.url), 'utf8')));
  const names = Object.entries(States).flatMap(([name, { Type }]) => (['Task', 'Map'].includes(Type) ? [name] : []));
  return names.includes('ExplainFailure') ? names.slice(0, names.indexOf('ExplainFailure')) : names;
};

/** A lab with one system and what a test does with it. */
export const startBench = async (options: Partial<LabOptions> & Pick<LabOptions, 'configuration'>) => {
  let judge: (request: S3Request) => Verdict = () => 'pass';
  const lab: Lab = await startLab({ pollMilliseconds: 100, ...options, judge: (request) => judge(request) });
  const [s3, sfn] = [s3Client(), sfnClient()];
  const vault = s3Bucket(s3, lab.runtime.vaultBucket);
  const state = s3Bucket(s3, lab.runtime.stateBucket);
  const nodes = lab.nodes['pe-main'] ?? {};
  const [found] = Object.values(nodes);
  if (!found) throw new Error('the lab has no node');
  const node: LabNode = found;
  const { product, hosts } = lab.systems['pe-main'] ?? { product: pe32, hosts: [] };
  /** The node that holds a role. */
  const withRole = (role: PuppetRole): LabNode => {
    const hostname = hosts.find(({ roles }) => roles.includes(role))?.hostname;
    return Object.values(nodes).find((one) => one.hostname === hostname) ?? node;
  };

  const start = async (input: object, machine = 'holdfast-backup'): Promise<string> => {
    const { executionArn } = await sfn.send(
      new StartExecutionCommand({
        stateMachineArn: lab.runtime.stateMachineArn(machine),
        input: JSON.stringify(input),
      }),
    );
    return executionArn ?? '';
  };

  const ending = async (executionArn: string): Promise<Ending> => {
    for (;;) {
      const { status, error, cause, output } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
      if (status !== 'RUNNING')
        return { status: status ?? '', error, cause: cause ?? '', output: JSON.parse(output ?? '{}') };
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  const shell = async (command: string, on: LabNode = node): Promise<string> => {
    const { code, stdout, stderr } = await on.exec(command);
    if (code !== 0) throw new Error(`${command}: ${stdout}${stderr}`);
    return stdout;
  };

  /** Looks until the command succeeds on the node. */
  const until = async (command: string): Promise<void> => {
    const { code, stderr } = await node.exec(
      `for look in $(seq 1200); do { ${command}; } && exit 0; sleep 0.05; done; exit 1`,
    );
    if (code !== 0) throw new Error(`never true on the node: ${command} ${stderr}`);
  };

  /** What a command prints on each node, by lines; the name of the host stands before them when there are several. */
  const everywhere = async (command: string | ((host: PuppetHost) => string)): Promise<string[]> => {
    const lines = hosts.map(async (host) => {
      const on = Object.values(nodes).find(({ hostname }) => hostname === host.hostname) ?? node;
      const { stdout } = await on.exec(typeof command === 'string' ? command : command(host));
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (hosts.length > 1 ? `${host.hostname}: ${line}` : line));
    });
    return (await Promise.all(lines)).flat();
  };

  const traces = async (): Promise<Traces> => ({
    manifests: (await vault.list(vaultKeys.catalog('pe-main'))).flatMap((key) => parseManifestKey(key)?.backup ?? []),
    objects: await vault.list('backups/'),
    uploads: ((await s3.send(new ListMultipartUploadsCommand({ Bucket: lab.runtime.vaultBucket }))).Uploads ?? []).map(
      ({ Key }) => Key ?? '',
    ),
    lock: (await state.read(stateKeys.lock('pe-main'))) !== undefined,
    onNode: (await everywhere(remainders)).join('\n'),
    servicesDown: await everywhere(
      ({ roles }) =>
        `for s in ${servicesOf(product, roles).join(' ')}; do service $s status >/dev/null 2>&1 || echo $s; done`,
    ),
  });

  return {
    lab,
    /** Ends a node as EC2 terminates it: SSM takes nothing more for it, and no undoing waits. Returns what brings it back. */
    terminate: async (one: LabNode): Promise<() => void> => {
      const [name = ''] = Object.entries(nodes).find(([, known]) => known === one) ?? [];
      await one.stop();
      Reflect.deleteProperty(nodes, name);
      return () => void Reflect.set(nodes, name, one);
    },
    /** The first of the system's nodes. */
    node,
    nodes,
    withRole,
    vault,
    state,
    start,
    ending,
    entered: (execution: string, machine: StateMachineName, state: string): Promise<string> =>
      entered(lab.runtime, execution, machine, state),
    shell,
    until,
    traces,
    /** Runs SQL as the server's superuser, and gives back what it prints. */
    sql: async (database: string, statement: string): Promise<string> =>
      (
        await shell(
          `su -s /bin/bash pe-postgres -c "cd / && /opt/puppet/bin/psql -X -A -t -q -v ON_ERROR_STOP=1 -d '${database}'" <<'SQL'\n${statement}\nSQL`,
          withRole('puppetdb'),
        )
      ).trim(),
    /** The certificate authority's fingerprint on the node. */
    authority: async (): Promise<string> =>
      (
        await shell(
          'openssl x509 -in /etc/puppetlabs/puppet/ssl/ca/ca_crt.pem -noout -fingerprint -sha256',
          withRole('master'),
        )
      ).trim(),
    /** Puts an object into the vault, as a person would. */
    upload: async (Key: string, Body: Buffer): Promise<void> => {
      await s3.send(new PutObjectCommand({ Bucket: lab.runtime.vaultBucket, Key, Body }));
    },
    /** Deletes a version for good, as nothing of Holdfast can. */
    lose: async ({ key: Key, versionId: VersionId }: ObjectVersion): Promise<void> => {
      await s3.send(new DeleteObjectCommand({ Bucket: lab.runtime.vaultBucket, Key, VersionId }));
    },
    /** Objects that a restore lets the nodes read. */
    opened: async (): Promise<readonly string[]> => {
      const opened: string[] = [];
      for (const prefix of ['backups/', 'installers/'])
        for (const { key, versionId } of await vault.versions(prefix))
          if ((await vault.tags({ key, versionId }))[tagKeys.restore] !== undefined) opened.push(key);
      return opened;
    },
    /** Runs a backup to its end. */
    backUp: async (input: object = { system: 'pe-main' }): Promise<Ending> => ending(await start(input)),
    /** Runs a restore of the newest backup to its end, unless the input says otherwise. */
    restore: async (input: object = {}): Promise<Ending> =>
      ending(await start({ system: 'pe-main', backup: 'latest', safetyBackup: false, ...input }, 'holdfast-restore')),
    /** Lets a failed execution go on, as the console's button does, to its end. */
    redrive: async (executionArn: string): Promise<Ending> => {
      await sfn.send(new RedriveExecutionCommand({ executionArn }));
      return ending(executionArn);
    },
    /** The undo of an aborted run, which the rule starts. */
    undoing: async (executionArn: string): Promise<string> => {
      const run = executionArn.split(':').at(-1);
      const stateMachineArn = lab.runtime.stateMachineArn('holdfast-undo');
      for (;;) {
        const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn }));
        for (const { executionArn: undoing } of executions) {
          const { input } = await sfn.send(new DescribeExecutionCommand({ executionArn: undoing }));
          if (undoing !== undefined && JSON.parse(input ?? '{}').run === run) return undoing;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    stop: async (executionArn: string): Promise<void> => {
      await sfn.send(new StopExecutionCommand({ executionArn, error: 'Stopped', cause: 'by a test' }));
    },
    manifest: async (backup: string): Promise<PuppetManifest> =>
      PuppetManifest.parse(JSON.parse((await vault.read(vaultKeys.manifest('pe-main', backup)))?.text ?? '{}')),
    /** Removes every committed backup, so that the next test begins with an empty vault. */
    forget: async (): Promise<void> => {
      for (const key of await vault.list('')) await vault.delete(key);
    },
    judgeWith: (next: (request: S3Request) => Verdict): void => {
      judge = next;
    },
    /** Holds a lock in a database that makes every dump of it wait, until the returned function is called. */
    holdDump: async (database: string, table: string): Promise<() => Promise<void>> => {
      await shell(
        `su -s /bin/bash pe-postgres -c "/opt/puppet/bin/psql -q -d '${database}' -c 'BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)'" >/dev/null 2>&1 </dev/null &`,
      );
      await until(
        `su -s /bin/bash pe-postgres -c "/opt/puppet/bin/psql -A -t -d postgres -c \\"SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND wait_event = 'PgSleep'\\"" | grep -q 1`,
      );
      return async () => {
        await shell(
          `su -s /bin/bash pe-postgres -c "/opt/puppet/bin/psql -q -d postgres -c \\"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()\\"" >/dev/null`,
        );
      };
    },
    close: async (): Promise<void> => {
      s3.destroy();
      sfn.destroy();
      await lab.close();
    },
  };
};

export type Bench = Awaited<ReturnType<typeof startBench>>;
