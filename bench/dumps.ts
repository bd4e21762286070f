import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { s3Bucket } from '#aws/bucket';
import { s3Client, sfnClient } from '#aws/clients';
import { composeDocument } from '#documents/compose';
import { Manifest } from '#domain/manifest';
import { encodeText, vaultKeys } from '#domain/naming';
import { type LabNode, writeAwsConfig } from '../local/lab/node.ts';
import { type Lab, startLab } from '../local/runtime/lab.ts';
import { controlCredentials } from '../local/runtime/s3.ts';

/** One way to get a database off a node, and what it took. */
export interface Contender {
  readonly name: string;
  readonly seconds: number;
  readonly peakMiB: number;
}

/** What a whole run costs beside the work of its commands. */
export interface RunCost {
  readonly transitions: number;
  readonly seconds: number;
  /** From the first command sent to the last one ended, phase by phase. */
  readonly commandSeconds: number;
}

const instanceId = 'i-0123456789abcdef0';
const rounds = 3;
const mark = 'HOLDFAST_BENCH';

/** About 1.2 GiB of text as PuppetDB keeps it: JSON with names that recur and digests that do not. */
const fill = `
CREATE DATABASE bench;
\\c bench
CREATE TABLE resources AS
SELECT n AS id, md5(n::text) AS catalog,
  '{"type":"File","title":"/etc/app/conf.d/' || n % 5000 || '.conf","tags":["file","class","app","profile::base"],"exported":false,'
  || '"parameters":{"ensure":"file","owner":"root","group":"root","mode":"0644","content":"{md5}' || md5(random()::text) || '",'
  || '"require":["Package[app-' || n % 300 || ']","Class[Profile::Base]"],"notify":"Service[app-' || n % 300 || ']","checksum":"'
  || md5((n * 7)::text) || md5(random()::text) || '"},"file":"/etc/puppetlabs/puppet/modules/app/manifests/init.pp","line":' || n % 400
  || ',"environment":"production","certname":"node' || n % 3000 || '.example.com","log":"' || repeat('notice: applied in ' || n % 97 || ' seconds ', 8) || '"}' AS resource
FROM generate_series(1, 1400000) AS n;
CHECKPOINT;
`;

/** Bytes of memory that the marked processes hold together. */
const markedMemory = (): number => {
  let sum = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) continue;
      sum += Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
    } catch {
      // It ended while we looked.
    }
  }
  return sum;
};

const measured = async (work: () => Promise<void>): Promise<{ seconds: number; peakMiB: number }> => {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, markedMemory());
  }, 500);
  const begun = performance.now();
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return { seconds: (performance.now() - begun) / 1000, peakMiB: peak / 2 ** 20 };
};

const shell = async (node: LabNode, command: string): Promise<void> => {
  const { code, stderr } = await node.exec(`${mark}=1 exec bash -o pipefail -s <<'BENCH'\n${command}\nBENCH`);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
};

const runDocument = async (node: LabNode, parameters: Readonly<Record<string, string>>, id: string): Promise<void> => {
  const content: { mainSteps: { inputs: { runCommand: string[] } }[] } = JSON.parse(
    JSON.stringify(composeDocument('dump-database')),
  );
  const script = (content.mainSteps[0]?.inputs.runCommand ?? [])
    .join('\n')
    .replace(/\{\{ (\w+) \}\}/g, (_, name: string) => parameters[name] ?? '')
    .replace('#!/bin/bash\n', `#!/bin/bash\nexport ${mark}=1\n`);
  const running = node.run(script, id);
  let answer = '';
  running.stdout.on('data', (data: Buffer) => {
    answer += data.toString();
  });
  running.stderr.resume();
  const { code } = await running.exit;
  if (code !== 0) throw new Error(answer);
};

/** Runs one backup of the lab's master as it is, and counts what the state machines did for it. */
const benchRun = async (lab: Lab): Promise<RunCost> => {
  const client = sfnClient();
  const begun = performance.now();
  const { executionArn = '' } = await client.send(
    new StartExecutionCommand({
      stateMachineArn: lab.runtime.stateMachineArn('holdfast-backup'),
      input: JSON.stringify({ system: 'pe-main' }),
    }),
  );
  let output: string | undefined;
  for (;;) {
    const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
    output = execution.output;
    if (execution.status !== 'RUNNING') break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const seconds = (performance.now() - begun) / 1000;
  const { backup }: { backup: string } = JSON.parse(output ?? '{}');
  const vault = s3Bucket(s3Client(), lab.runtime.vaultBucket);
  const manifest = Manifest.parse(JSON.parse((await vault.read(vaultKeys.manifest('pe-main', backup)))?.text ?? '{}'));
  let transitions = 0;
  for (const machine of ['holdfast-backup', 'holdfast-run-phase']) {
    const stateMachineArn = lab.runtime.stateMachineArn(machine);
    const { executions } = await client.send(new ListExecutionsCommand({ stateMachineArn }));
    for (const { executionArn: arn } of executions ?? []) {
      const { events } = await client.send(new GetExecutionHistoryCommand({ executionArn: arn, maxResults: 1000 }));
      transitions += (events ?? []).filter(({ type }) => type?.endsWith('StateEntered')).length;
    }
  }
  client.destroy();
  return {
    transitions,
    seconds,
    commandSeconds: Object.values(manifest.phaseSeconds).reduce((sum, one) => sum + one, 0),
  };
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Runs every contender on the same database and S3 server, taking turns, and gives the median of each. */
export const benchDumps = async (
  tell: (what: string) => void,
): Promise<{
  rawBytes: number;
  contenders: readonly Contender[];
  run: RunCost;
}> => {
  tell('making a lab');
  const lab = await startLab({
    configuration: `systems: { pe-main: { kind: puppet-enterprise, nodes: [{ instance: ${instanceId}, roles: [master, puppetdb, console] }] } }`,
  });
  try {
    const node = lab.nodes['pe-main'];
    if (!node) throw new Error('the lab has no node');
    const restic = (await node.exec('command -v restic')).code === 0;
    if (!restic) {
      tell('installing restic');
      execFileSync('apt-get', ['-q', '-y', 'install', '--no-install-recommends', 'restic'], { stdio: 'ignore' });
    }
    tell('one whole backup');
    const run = await benchRun(lab);
    // Straight to the S3 server, with rights for all: the gateway's share of two cores is not a node's.
    await writeAwsConfig(node, { endpointUrl: lab.runtime.s3Url, region: 'us-east-1', ...controlCredentials });
    await shell(
      node,
      'for s in pe-httpd pe-puppet pe-puppetdb pe-puppet-dashboard-workers pe-mcollective pe-activemq; do service $s stop; done >/dev/null 2>&1; true',
    );
    tell('filling a database');
    await shell(
      node,
      `su -s /bin/bash pe-postgres -c 'cd / && /opt/puppet/bin/psql -q -v ON_ERROR_STOP=1 -d postgres' <<'SQL'\n${fill}\nSQL`,
    );
    const dump = "su -s /bin/bash pe-postgres -c 'cd / && /opt/puppet/bin/pg_dump -Fc -Z0 bench'";
    const rawBytes = Number((await node.exec(`${dump} | wc -c`)).stdout);
    const vault = `s3://${lab.runtime.vaultBucket}`;
    const repository = `export AWS_ACCESS_KEY_ID=${controlCredentials.accessKeyId} AWS_SECRET_ACCESS_KEY=${controlCredentials.secretAccessKey} RESTIC_PASSWORD=bench RESTIC_REPOSITORY=s3:${lab.runtime.s3Url}/${lab.runtime.vaultBucket}/restic`;
    await shell(node, `${repository}; restic init >/dev/null`);
    const contenders: readonly (readonly [string, (round: number) => Promise<void>])[] = [
      ['the limit: pg_dump -Fc -Z0 to /dev/null', () => shell(node, `${dump} >/dev/null`)],
      [
        'Holdfast: verified, counted, zstd, streamed',
        (round) =>
          runDocument(
            node,
            {
              RunId: `bench-${round}`,
              Bucket: lab.runtime.vaultBucket,
              Key: `backups/pe-main/bench-${round}/dump`,
              ExpectedBytes: String(rawBytes),
              Database: encodeText('bench'),
            },
            crypto.randomUUID(),
          ),
      ],
      [
        'the manual: pg_dump --create to a file, tar, gzip, upload',
        (round) =>
          shell(
            node,
            `d=$(mktemp -d) && su -s /bin/bash pe-postgres -c 'cd / && /opt/puppet/bin/pg_dump bench --create' >$d/bench.backup && tar -C $d -czf $d/bench.tar.gz bench.backup && aws s3 cp --only-show-errors $d/bench.tar.gz ${vault}/manual-${round} && rm -r $d`,
          ),
      ],
      [
        'pg_dump -Fc piped to the AWS CLI',
        (round) =>
          shell(
            node,
            `${dump.replace(' -Z0', '')} | aws s3 cp --only-show-errors - ${vault}/piped-${round} --expected-size ${rawBytes}`,
          ),
      ],
      [
        'pg_dump -Fc -Z0 into restic (Debian)',
        // A name and a repository of its own each round: otherwise the second round would find every block there.
        (round) =>
          shell(
            node,
            `${repository}-${round}; restic init >/dev/null; ${dump} | restic backup --quiet --stdin --stdin-filename bench`,
          ),
      ],
    ];
    const taken = new Map<string, { seconds: number; peakMiB: number }[]>();
    for (let round = 1; round <= rounds; round++)
      for (const [name, work] of contenders) {
        tell(`round ${round} of ${rounds}: ${name}`);
        taken.set(name, [...(taken.get(name) ?? []), await measured(() => work(round))]);
      }
    return {
      rawBytes,
      run,
      contenders: contenders.map(([name]) => ({
        name,
        seconds: median((taken.get(name) ?? []).map(({ seconds }) => seconds)),
        peakMiB: Math.max(...(taken.get(name) ?? []).map(({ peakMiB }) => peakMiB)),
      })),
    };
  } finally {
    await lab.close();
  }
};
