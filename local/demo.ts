import { ListExecutionsCommand } from '@aws-sdk/client-sfn';
import { parseConfig } from '#domain/config-file';
import { connect } from '../cli/connection.ts';
import { followRun } from '../cli/follow-run.ts';
import { outputOn } from '../cli/output.ts';
import { progressDisplay } from '../cli/progress.ts';
import { restore } from '../cli/restore.ts';
import { show } from '../cli/show.ts';
import { region } from './runtime/index.ts';
import { startLab } from './runtime/lab.ts';

/**
 * The story of one backup without an AWS account: a lab is made, a schedule fires, the backup is watched and read, the master
 * is destroyed and brought back, and nothing stays behind.
 */

const configuration = (schedules: string): string => `
systems:
  pe-main:
    kind: puppet-enterprise
    consistency: quiesced
    nodes:
      - instance: i-0123456789abcdef0
        roles: [master, puppetdb, console]
    schedules: [demo]
schedules:
  demo: ${schedules}
`;

/** What nobody wants to see at night. */
const destruction = `
for s in pe-httpd pe-puppet-dashboard-workers pe-puppetdb; do service $s stop; done
for d in console console_auth pe-puppetdb; do
  su -s /bin/bash pe-postgres -c "/opt/puppet/bin/psql -q -d postgres -c 'DROP DATABASE \\"$d\\"'"
done
rm -rf /etc/puppetlabs/puppet/ssl`;

const output = outputOn(process.stdout, process.stderr);
const tell = (text: string): void => output.line(text);

/** The run that the schedule has started, as soon as there is one. */
const startedRun = async (connection: Awaited<ReturnType<typeof connect>>): Promise<string> => {
  for (;;) {
    const { executions } = await connection.stepFunctions.send(
      new ListExecutionsCommand({ stateMachineArn: connection.backupMachineArn, maxResults: 1 }),
    );
    const arn = executions?.[0]?.executionArn;
    if (arn !== undefined) return arn;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

const begun = Date.now();
tell('Holdfast backs up a Puppet Enterprise 3.2 master on this machine: real PostgreSQL, a real CA, real services,');
tell('real S3 and the real state machines. docs/lab.md lists the stand-ins for AWS and PE.');
tell('');
const lab = await startLab({
  configuration: configuration('{ rate: 1 day }'),
  onProgress: (what) => tell(`  ${what}`),
});
let closing: Promise<void> | undefined;
const close = (): Promise<void> => {
  closing ??= lab.close();
  return closing;
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    tell('  cleaning up');
    void close().then(() => process.exit(130));
  });

try {
  const connection = await connect({ region, endpointUrl: lab.runtime.url });
  // Whole seconds, as schedules have them, and far enough ahead to be seen coming.
  const slot = new Date(Math.ceil((Date.now() + 1000) / 1000) * 1000).toISOString().slice(0, 19);
  lab.runtime.keepSchedules(parseConfig(configuration(`{ at: '${slot}', timezone: UTC }`)));
  tell(`  the schedule "demo" of pe-main starts a backup at ${slot.slice(11)} UTC`);
  tell('');
  const executionArn = await startedRun(connection);
  const display = progressDisplay(output);
  let last: string | undefined;
  for await (const progress of followRun(connection, executionArn, { pollMilliseconds: 250 })) {
    display(progress);
    if (progress.outcome?.kind === 'committed') last = progress.outcome.manifest.backup;
    if (progress.outcome?.kind === 'failed') throw new Error(`${progress.outcome.error}: ${progress.outcome.cause}`);
  }
  if (last === undefined) throw new Error('the run ended without a backup');
  tell('');
  tell('The backup, as `holdfast show pe-main/latest` shows it:');
  tell('');
  await show(() => Promise.resolve(connection), 'pe-main/latest', {}, output);
  const { stdout } = (await lab.nodes['pe-main']?.['master']?.exec(
    'for s in pe-httpd pe-puppetdb pe-activemq pe-puppet; do service $s status; done',
  )) ?? { stdout: '' };
  tell('');
  tell(`The services that it stopped run again: ${stdout.trim().split('\n').join(', ')}.`);
  tell('');
  tell('Now the worst case: all databases and the certificate authority are destroyed.');
  await lab.nodes['pe-main']?.['master']?.exec(destruction);
  tell('');
  tell('The restore, as `holdfast restore pe-main --confirm pe-main --watch` shows it:');
  tell('');
  await restore(
    () => Promise.resolve(connection),
    'pe-main',
    last,
    { confirm: 'pe-main', watch: true, pollMilliseconds: 250 },
    output,
  );
} catch (error) {
  process.stderr.write(`The demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await close();
}
tell(
  `The lab has been removed, after ${Math.round((Date.now() - begun) / 1000)} seconds. To play with it: npm run local`,
);
process.exit();
