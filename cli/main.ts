import {
  Argument,
  type Command,
  CommanderError,
  Option,
  type OptionValues,
  program,
} from '@commander-js/extra-typings';
import packageJson from '../package.json' with { type: 'json' };
import type { Connection, ConnectionOptions } from './connection.ts';
import { type Exit, exitCodes, exitHelp } from './exit-codes.ts';
import { printable } from './format.ts';
import { outputOn } from './output.ts';

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

const connected = <Args extends unknown[], Options extends OptionValues, Globals extends OptionValues>(
  command: Command<Args, Options, Globals>,
) =>
  command
    .addOption(json)
    .option('--region <region>', 'the AWS region (default: that of the environment or the profile)')
    .option('--profile <profile>', 'a profile of the AWS configuration files')
    .addOption(
      new Option('--endpoint-url <url>', 'the URL of a local runtime in place of AWS').env('AWS_ENDPOINT_URL'),
    );

connected(program)
  // Before the verb or after it: people write both.
  .enablePositionalOptions()
  .hook('preAction', (_, verb) => {
    for (const option of program.options) {
      const name = option.attributeName();
      if (program.getOptionValueSource(name) !== 'cli' || verb.getOptionValueSource(name) === 'cli') continue;
      if (!verb.options.some((own) => own.attributeName() === name))
        verb.error(`error: holdfast ${verb.name()} takes no ${option.long}`);
      verb.setOptionValueWithSource(name, program.getOptionValue(name), 'cli');
    }
  })
  .name('holdfast')
  .description('Scheduled, verified backups, restores and upgrades of Puppet and Juju control planes on AWS.')
  .version(packageJson.version)
  .exitOverride()
  .configureOutput({
    outputError: (text, write) => write(`${printable(text.trimEnd()).replace(/^error: /, 'holdfast: ')}\n`),
  })
  .showHelpAfterError('All verbs and options: holdfast --help')
  .addHelpText(
    'after',
    exitHelp([
      'ok',
      'unexpected',
      'usage',
      'invalid',
      'not-found',
      'busy',
      'failed',
      'connection',
      'overdue',
      'interrupted',
    ]),
  );

connected(
  program
    .command('systems')
    .description('show for every system whether it is backed up, what is running, and what failed last')
    .option(
      '--config <file>',
      'the configuration to compare with (default: holdfast.yaml in this folder, if it exists)',
    ),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'invalid', 'not-found', 'connection', 'overdue']))
  .action((options) =>
    runConnected(options, async (connect) => (await import('./systems.ts')).systems(connect, options, output)),
  );

program
  .command('config')
  .description('the configuration, holdfast.yaml')
  .command('check')
  .description('list every mistake in a configuration as file:LINE:COLUMN: path: expected, or show what it configures')
  .argument('[file]', 'the configuration', 'holdfast.yaml')
  .addOption(json)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'invalid', 'not-found']))
  .action((file, options) => run(async () => (await import('./config-check.ts')).configCheck(file, options, output)));

connected(
  program
    .command('backup')
    .description('start a backup; with --watch, exit code 0 means that it is complete')
    .argument('<system>', 'the id of a system in holdfast.yaml')
    .option('--partial', 'back up the nodes that answer when others do not; such a backup is never latest')
    .option('--watch', 'follow the run to its end; Ctrl-C detaches, the run continues'),
)
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  )
  .action((system, options) =>
    runConnected(options, async (connect) => (await import('./backup.ts')).backup(connect, system, options, output)),
  );

connected(
  program
    .command('check')
    .description(
      'check whether a system can be backed up now: agents, tools, space, keys, clock, access to S3; changes nothing',
    )
    .argument('<system>', 'the id of a system in holdfast.yaml'),
)
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  )
  .action((system, options) =>
    runConnected(options, async (connect) => (await import('./check.ts')).check(connect, system, options, output)),
  );

connected(
  program
    .command('restore')
    .description('restore a backup; with --watch, exit code 0 means that everything is verified')
    .argument('<system>', 'the id of a system in holdfast.yaml')
    .argument('[backup]', 'an id, or latest (default: latest)')
    .option('--before <time>', 'the newest good backup before this time, such as 2026-11-20T02:00:00Z')
    .option('--plan', 'print what would be done, and change nothing')
    .option('--confirm <system>', "the system's name again; without it the run waits for an approval")
    .option('--approval-minutes <minutes>', 'how long it waits (default: 60)')
    .option('--scope <part...>', 'certs, config, code, mcollective, databases, databases:NAME (default: everything)')
    .addOption(
      new Option(
        '--databases <mode>',
        'keep: roles and tablespaces stay; globals: they are recreated (default: keep)',
      ).choices(['keep', 'globals']),
    )
    .option(
      '--allow <difference...>',
      'version, hostname, certname, missing-nodes; of Juju: version, stopped-server, format',
    )
    .option('--no-safety-backup', 'take no backup of the current state first')
    .option('--reinstall <installer>', 'purge, then reinstall from this archive below installers/SYSTEM/ in the vault')
    .option('--sha256 <hex>', 'the SHA-256 of the installer, required with it')
    .option(
      '--answers <role=file=sha256...>',
      "answers for the installer in place of the backup's, from files below installers/SYSTEM/ in the vault",
    )
    .option('--onto <role=instance...>', 'the instance that takes the place of the node that held a role')
    .option(
      '--nodes <node...>',
      'nodes of the backup that get their files back, by role, name or instance id, or all (default: what --onto replaces, else all)',
    )
    .option(
      '--constraints <constraints>',
      'Juju 1.x: what the new state server is to have, such as "mem=4G cpu-cores=2"',
    )
    .option('--ensure-availability <number>', 'Juju 1.x: state servers to have afterwards, 3, 5 or 7')
    .option('--reconnect-seconds <seconds>', 'Juju: how long agents may take to report (default: 900)')
    .option('--reconnect-percent <percent>', 'Juju: how many of all machines must report (default: 100)')
    .option('--watch', 'follow the run to its end; Ctrl-C detaches, the run continues'),
)
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  )
  .action((system, backup, options) =>
    runConnected(options, async (connect) =>
      (await import('./restore.ts')).restore(connect, system, backup, options, output),
    ),
  );

connected(
  program
    .command('upgrade')
    .description('upgrade a system; with --watch, exit code 0 means that every stage has the version')
    .argument('<system>', 'the id of a system in holdfast.yaml')
    .argument('<version>', 'the version to upgrade to, such as 2016.4.2')
    .option('--installer <archive>', 'its name below installers/SYSTEM/ in the vault, or an https URL')
    .option('--sha256 <hex>', 'the SHA-256 of the archive, required with it')
    .option('--plan', 'print what would be done, and change nothing')
    .option('--confirm <system>', "the system's name again; without it the run waits for an approval")
    .option('--approval-minutes <minutes>', 'how long it waits (default: 60)')
    .addOption(
      new Option('--from <stage>', 'stages before it are skipped').choices([
        'master',
        'puppetdb',
        'console',
        'compile-masters',
        'hubs',
        'spokes',
        'canaries',
        'agents',
      ]),
    )
    .option(
      '--install-modules <archive=sha256...>',
      'modules to install on compile masters that lack them, from archives below installers/SYSTEM/ in the vault',
    )
    .option('--compile-masters <number>', 'compile masters at a time (default: 1)')
    .option('--agents <share>', 'agents at a time, a number or a percentage (default: 10%)')
    .option('--agent-errors <share>', 'agents that may fail before the rollout stops (default: 1%)')
    .option('--watch', 'follow the run to its end; Ctrl-C detaches, the run continues'),
)
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  )
  .action((system, version, options) =>
    runConnected(options, async (connect) =>
      (await import('./upgrade.ts')).upgrade(connect, system, version, options, output),
    ),
  );

connected(
  program
    .command('approve')
    .description('approve the plan of a waiting run, which then continues')
    .argument('<run>', 'its name, as holdfast runs lists it'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'failed', 'connection']))
  .action((name, options) =>
    runConnected(options, async (connect) =>
      (await import('./decide.ts')).decide(connect, name, { approve: true }, output, options.json),
    ),
  );

connected(
  program
    .command('reject')
    .description('reject the plan of a waiting run, which then ends; nothing was changed')
    .argument('<run>', 'its name, as holdfast runs lists it')
    .requiredOption('--reason <text>', 'why, for whoever reads the error'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'failed', 'connection']))
  .action((name, { reason, ...options }) =>
    runConnected(options, async (connect) =>
      (await import('./decide.ts')).decide(connect, name, { approve: false, reason }, output, options.json),
    ),
  );

connected(
  program
    .command('runs')
    .description('list runs of all operations and their results, newest first')
    .argument('[system]', 'the id of a system (default: all)')
    .option('--limit <number>', 'how many (default: 20)'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((system, options) =>
    runConnected(options, async (connect) => (await import('./runs.ts')).runs(connect, system, options, output)),
  );

connected(
  program
    .command('watch')
    .description('follow a run to its end, or show how it ended; Ctrl-C detaches, the run continues')
    .argument('<run>', 'its name, as holdfast runs lists it'),
)
  .addHelpText(
    'after',
    exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'failed', 'connection', 'interrupted']),
  )
  .action((name, options) =>
    runConnected(options, async (connect) => (await import('./watch.ts')).watch(connect, name, options, output)),
  );

connected(
  program
    .command('cancel')
    .description('stop a run; Holdfast then undoes its changes')
    .argument('<run>', 'its name, as holdfast runs lists it')
    .option('--reason <text>', 'why, for whoever reads the error'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((name, options) =>
    runConnected(options, async (connect) => (await import('./cancel.ts')).cancel(connect, name, options, output)),
  );

connected(
  program
    .command('backups')
    .description("list a system's backups, newest first")
    .argument('<system>', 'the id of a system'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((system, options) =>
    runConnected(options, async (connect) => (await import('./backups.ts')).backups(connect, system, options, output)),
  );

connected(
  program
    .command('show')
    .description('show the details of a backup')
    .argument('<backup>', 'SYSTEM/ID, SYSTEM/latest, or an ID with --system')
    .option('--system <system>', 'the system that an ID belongs to'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'connection']))
  .action((backup, options) =>
    runConnected(options, async (connect) => (await import('./show.ts')).show(connect, backup, options, output)),
  );

connected(
  program
    .command('verify')
    .description('read a backup back from the vault; with --watch, exit code 0 means that every byte is as committed')
    .argument('<backup>', 'SYSTEM/ID, SYSTEM/latest, or an ID with --system')
    .option('--system <system>', 'the system that an ID belongs to')
    .option('--watch', 'follow the run to its end; Ctrl-C detaches, the run continues'),
)
  .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'failed', 'connection', 'interrupted']))
  .action((backup, options) =>
    runConnected(options, async (connect) => (await import('./verify.ts')).verify(connect, backup, options, output)),
  );

program
  .command('names', { hidden: true })
  .description('print names for the completion of a shell')
  .addArgument(new Argument('<kind>', 'of what').choices(['systems', 'backups', 'runs']))
  .addOption(new Option('--endpoint-url <url>').env('AWS_ENDPOINT_URL'))
  .action((kind, options) => {
    // Nobody waits longer for what a Tab offers.
    setTimeout(() => process.exit(exitCodes.connection.code), 2000).unref();
    return runConnected(options, async (connect) => (await import('./names.ts')).names(connect, kind, output));
  });

const held = [
  ['keep', 'held', 'put a hold on a backup, so that it does not expire'],
  ['release', 'released', 'release the hold on a backup'],
] as const;
for (const [verb, change, description] of held)
  connected(
    program
      .command(verb)
      .description(description)
      .argument('<backup>', 'SYSTEM/ID, SYSTEM/latest, or an ID with --system')
      .option('--system <system>', 'the system that an ID belongs to')
      .option('--reason <text>', "why, for whoever reads the backup's history"),
  )
    .addHelpText('after', exitHelp(['ok', 'unexpected', 'usage', 'not-found', 'busy', 'connection']))
    .action((backup, options) =>
      runConnected(options, async (connect) =>
        (await import('./keep.ts')).keep(connect, backup, change, options, output),
      ),
    );

program
  .command('completion')
  .description('print a completion script for a shell')
  .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
  .addHelpText(
    'after',
    [
      '',
      'Add the line for your shell to its startup file:',
      '  bash  source <(holdfast completion bash)',
      '  zsh   source <(holdfast completion zsh)   after compinit',
      '  fish  holdfast completion fish | source',
      exitHelp(['ok', 'unexpected', 'usage']),
    ].join('\n'),
  )
  .action((shell) => run(async () => (await import('./completion.ts')).completion(program, shell, output)));

export { program };

/** Does what the words of this process say. */
export const main = async (): Promise<void> => {
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has told it already; help and the version end with 0.
    process.exitCode = error.exitCode === 0 ? exitCodes.ok.code : exitCodes.usage.code;
  }
};
