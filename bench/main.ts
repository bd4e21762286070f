import { readFileSync } from 'node:fs';
import { parseConfig } from '#domain/config-file';
import { table } from '../cli/format.ts';
import { benchBundles } from './bundles.ts';
import { benchDumps } from './dumps.ts';
import { benchPhase } from './orchestration.ts';

/** Measures and asserts nothing. Only ratios within one run count: machines differ, and are never alone. */

const tell = (what: string): void => void process.stderr.write(`  ${what}\n`);
const print = (title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void => {
  process.stdout.write(`\n${title}\n`);
  const cells = columns.map((heading, index) => (index > 0 ? { heading, align: 'right' as const } : { heading }));
  for (const line of table(cells, rows)) process.stdout.write(`  ${line}\n`);
};

const config = parseConfig(readFileSync(new URL('../holdfast.example.yaml', import.meta.url), 'utf8'));

const { rawBytes, contenders, run } = await benchDumps(tell);
const [limit, holdfast] = contenders;
print(
  `A database of ${(rawBytes / 2 ** 30).toFixed(2)} GiB raw, median of three rounds (aims: Holdfast at most 1.25 of the limit, the manual and the pipe at least 2.00 of Holdfast)`,
  ['', 'SECONDS', 'OF THE LIMIT', 'OF HOLDFAST', 'PEAK MIB'],
  contenders.map(({ name, seconds, peakMiB }) => [
    name,
    seconds.toFixed(1),
    (seconds / (limit?.seconds ?? 1)).toFixed(2),
    (seconds / (holdfast?.seconds ?? 1)).toFixed(2),
    peakMiB.toFixed(0),
  ]),
);

print(
  'One whole backup of the lab master',
  ['', 'VALUE'],
  [
    ['state transitions, children included', String(run.transitions)],
    ['seconds', run.seconds.toFixed(1)],
    ['seconds of its phases, in whole ones', String(run.commandSeconds)],
    [
      'orchestration around the phases, of the whole',
      (Math.max(0, run.seconds - run.commandSeconds) / run.seconds).toFixed(2),
    ],
  ],
);

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
