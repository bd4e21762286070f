import { type Command, CommanderError, Option, program } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import type { BackupOptions } from './backup.ts';
import type { Connection, ConnectionOptions } from './connection.ts';
import { type Exit, exitCodes, exitHelp } from './exit-codes.ts';
import { printable } from './format.ts';
import { outputOn } from './output.ts';
import type { RestoreOptions } from './restore.ts';
import type { ShowOptions } from './show.ts';

/**
 * The command line: names, options and help. What a verb does is in its own file, which is loaded, with the SDK of AWS,
 * only when the verb is called: help and completion stay quick.
 */

const output = outputOn(process.stdout, process.stderr);

// Whoever reads stdout may have seen enough: `holdfast backups pe-main | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.ok.code);
});

/** Runs a verb to its exit code; an error becomes one line and the next thing to try. */
const run = async (verb: () => Promise<Exit>): Promise<void> => {
  try {
    process.exitCode = exitCodes[await verb()].code;
  } catch (error) {
    if (process.env['HOLDFAST_DEBUG'] !== undefined) console.error(error);
    const { explain } = await import('./cli-error.ts');
    const { exit, message, next } = explain(error);
    output.note(`holdfast: ${message}`);
    if (next !== undefined) output.note(next);
    process.exitCode = exitCodes[exit].code;
  }
};

/** Runs a verb against AWS or the local runtime. */
const runConnected = (
  options: ConnectionOptions,
  verb: (connect: () => Promise<Connection>) => Promise<Exit>,
): Promise<void> => run(() => verb(async () => (await import('./connection.ts')).connect(options)));

const json = new Option('--json', 'data as JSON');

const connected = (command: Command): Command =>
  command
    .addOption(json)
    .option('--region <region>', 'the AWS region (default: that of the environment or the profile)')
    .option('--profile <profile>', 'a profile of the AWS configuration files')
    .addOption(
      new Option('--endpoint-url <url>', 'the URL of a local runtime in place of AWS').env('AWS_ENDPOINT_URL'),
    );

program
  .name('holdfast')
  .description('Backups of Puppet control planes on AWS: scheduled, verified, off-site.')
  .version(packageJson.version)
  .exitOverride()
  .configureOutput({
    outputError: (text, write) => write(`${printable(text.trimEnd()).replace(/^error: /, 'holdfast: ')}\n`),
  })
  .showHelpAfterError('All verbs and options: holdfast --help')
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'invalid', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  );

program
  .command('config')
  .description('the configuration, holdfast.yaml')
  .command('check')
  .description('tell every mistake in a configuration as file:LINE:COLUMN: path: expected, or what it means')
  .argument('[file]', 'the configuration', 'holdfast.yaml')
  .addOption(json)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'invalid', 'not-found']))
  .action((file: string, options: { json?: boolean }) =>
    run(async () => (await import('./config-check.ts')).configCheck(file, options, output)),
  );

connected(
  program
    .command('backup')
    .description('start a backup; only with --watch does 0 mean that it is complete')
    .argument('<system>', 'the id of a system in holdfast.yaml')
    .option('--watch', 'follow the run to its end; Ctrl-C detaches, the run goes on'),
)
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  )
  .action((system: string, options: ConnectionOptions & BackupOptions) =>
    runConnected(options, async (connect) => (await import('./backup.ts')).backup(connect, system, options, output)),
  );

connected(
  program
    .command('restore')
    .description('restore a backup; only with --watch does 0 mean that everything is proven')
    .argument('<system>', 'the id of a system in holdfast.yaml')
    .argument('[backup]', 'an id, or latest (default: latest)')
    .option('--before <time>', 'the newest good backup before this time, such as 2026-11-20T02:00:00Z')
    .option('--plan', 'tell what would be done, and touch nothing')
    .option('--confirm <system>', "the system's name typed again; without it the run waits for an approval")
    .option('--approval-minutes <minutes>', 'how long it waits (default: 60)')
    .option('--scope <part...>', 'certs, config, code, mcollective, databases, databases:NAME (default: everything)')
    .option('--databases <mode>', 'keep: roles and tablespaces stay; globals: they are made anew (default: keep)')
    .option('--allow <difference...>', 'version, hostname, certname')
    .option('--no-safety-backup', 'take no backup of what is there before')
    .option('--reinstall <installer>', 'purge, and install again from this archive in the vault')
    .option('--onto <role=instance...>', 'the instance that takes the place of the node that held a role')
    .option('--watch', 'follow the run to its end; Ctrl-C detaches, the run goes on'),
)
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  )
  .action((system: string, backup: string | undefined, options: ConnectionOptions & RestoreOptions) =>
    runConnected(options, async (connect) =>
      (await import('./restore.ts')).restore(connect, system, backup, options, output),
    ),
  );

connected(
  program
    .command('approve')
    .description('let a run that waits for an approval go on')
    .argument('<run>', 'the name that holdfast restore has printed'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((name: string, options: ConnectionOptions & { json?: boolean }) =>
    runConnected(options, async (connect) =>
      (await import('./decide.ts')).decide(connect, name, { approve: true }, output, options.json),
    ),
  );

connected(
  program
    .command('reject')
    .description('end a run that waits for an approval; nothing was touched')
    .argument('<run>', 'the name that holdfast restore has printed')
    .requiredOption('--reason <text>', 'why, for whoever reads the error'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((name: string, { reason, ...options }: ConnectionOptions & { json?: boolean; reason: string }) =>
    runConnected(options, async (connect) =>
      (await import('./decide.ts')).decide(connect, name, { approve: false, reason }, output, options.json),
    ),
  );

connected(
  program
    .command('backups')
    .description("list a system's backups, newest first")
    .argument('<system>', 'the id of a system'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((system: string, options: ConnectionOptions & { json?: boolean }) =>
    runConnected(options, async (connect) => (await import('./backups.ts')).backups(connect, system, options, output)),
  );

connected(
  program
    .command('show')
    .description('show all that is known of a backup')
    .argument('<backup>', 'SYSTEM/ID, SYSTEM/latest, or an ID with --system')
    .option('--system <system>', 'the system that an ID belongs to'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((backup: string, options: ConnectionOptions & ShowOptions) =>
    runConnected(options, async (connect) => (await import('./show.ts')).show(connect, backup, options, output)),
  );

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has told it already; help and the version end with 0.
  process.exitCode = error.exitCode === 0 ? exitCodes.ok.code : exitCodes.usage.code;
}
