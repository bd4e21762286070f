import { readFileSync } from 'node:fs';
import { parseConfig } from '#domain/config-file';
import { table } from '../cli/format.ts';
import { startLab } from '../local/runtime/lab.ts';
import { benchBundles } from './bundles.ts';
import type { Contender } from './contest.ts';
import { benchDatabase } from './databases.ts';
import { benchPhase, benchUpgradePlan } from './orchestration.ts';
import { benchBackup, benchRestore } from './runs.ts';

/** Measures and asserts nothing. Only ratios within one run count: machines differ, and are never alone. */

const tell = (what: string): void => void process.stderr.write(`  ${what}\n`);
const print = (title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void => {
  process.stdout.write(`\n${title}\n`);
  const cells = columns.map((heading, index) => (index > 0 ? { heading, align: 'right' as const } : { heading }));
  for (const line of table(cells, rows)) process.stdout.write(`  ${line}\n`);
};

const config = parseConfig(readFileSync(new URL('../holdfast.example.yaml', import.meta.url), 'utf8'));

/** The limit comes first, Holdfast second. */
const printContest = (title: string, contenders: readonly Contender[]): void => {
  const [limit, holdfast] = contenders;
  print(
    title,
    ['', 'SECONDS', 'OF THE LIMIT', 'OF HOLDFAST', 'PEAK MIB'],
    contenders.map(({ name, seconds, peakMiB }) => [
      name,
      seconds.toFixed(1),
      (seconds / (limit?.seconds ?? 1)).toFixed(2),
      (seconds / (holdfast?.seconds ?? 1)).toFixed(2),
      peakMiB.toFixed(0),
    ]),
  );
};

tell('making a lab');
const lab = await startLab({
  configuration:
    'systems: { pe-main: { kind: puppet-enterprise, nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }] } }',
});
try {
  const node = lab.nodes['pe-main']?.['master'];
  if (!node) throw new Error('the lab has no node');
  tell('one whole backup');
  const backup = await benchBackup(lab);
  tell('one whole restore');
  const restore = await benchRestore(lab);
  print(
    'One whole run on the lab master',
    ['', 'BACKUP', 'RESTORE'],
    [
      ['state transitions, children included', String(backup.transitions), String(restore.transitions)],
      ['seconds', backup.seconds.toFixed(1), restore.seconds.toFixed(1)],
      ['seconds of its phases, in whole ones', String(backup.commandSeconds), ''],
      [
        'orchestration around the phases, of the whole',
        (Math.max(0, backup.seconds - backup.commandSeconds) / backup.seconds).toFixed(2),
        '',
      ],
      ['seconds until the first byte is restored', '', restore.firstByteSeconds.toFixed(1)],
    ],
  );

  const { rawBytes, dumps, restores } = await benchDatabase(lab, node, tell);
  const size = `A database of ${(rawBytes / 2 ** 30).toFixed(2)} GiB raw, median of three rounds`;
  printContest(
    `${size} (aims: Holdfast at most 1.25 of the limit, the manual and the pipe at least 2.00 of Holdfast)`,
    dumps,
  );
  printContest(`The same restored (aim: Holdfast at most 1.30 of the limit)`, restores);
  print(
    'A restore by its backup, from which plans estimate',
    ['', 'SECONDS OF RESTORE BY SECOND OF BACKUP'],
    [['Holdfast', ((restores[1]?.seconds ?? Number.NaN) / (dumps[1]?.seconds ?? Number.NaN)).toFixed(2)]],
  );
} finally {
  await lab.close();
}

tell('phases of many nodes');
const phases = [];
for (const nodes of [1, 10, 100, 1000]) phases.push(await benchPhase(nodes));
print(
  'One phase by the number of its nodes (transitions and payload must not grow)',
  ['NODES', 'TRANSITIONS', 'SENDS', 'PAYLOAD BYTES', 'PLAN BYTES', 'LAMBDA MS'],
  phases.map(({ nodes, transitions, sends, payloadBytes, planBytes, milliseconds }) =>
    [nodes, transitions, sends, payloadBytes, planBytes, Math.round(milliseconds)].map(String),
  ),
);

tell('plans of upgrades');
print(
  'The plan of an upgrade by the number of its nodes (aims: below a second, below 32 kB)',
  ['NODES', 'COMMANDS', 'PAYLOAD BYTES', 'MS'],
  [10, 100, 1000].map((count) => {
    const { nodes, commands, payloadBytes, milliseconds } = benchUpgradePlan(count);
    return [nodes, commands, payloadBytes, Math.round(milliseconds)].map(String);
  }),
);

tell('bundles');
print(
  'Bundles of the lambdas (aims: below 300 kB, import below 150 ms beyond a bare node)',
  ['VERB', 'KB', 'IMPORT MS'],
  (await benchBundles(config)).map(({ verb, bytes, milliseconds }) => [
    verb,
    (bytes / 1000).toFixed(0),
    milliseconds.toFixed(0),
  ]),
);
process.exit();
