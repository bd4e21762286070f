import { type CheckReport, problemsOf, warningsOf } from '#domain/check';
import { CliError } from './cli-error.ts';
import type { Exit } from './exit-codes.ts';
import { formatAmount, formatBytes, table } from './format.ts';
import type { Output } from './output.ts';

const columns = [
  { heading: 'NODE' },
  { heading: 'STATE' },
  { heading: 'HOLDS' },
  { heading: 'SSM AGENT' },
  { heading: 'AWS CLI' },
  { heading: 'ZSTD' },
  { heading: 'FREE', align: 'right' },
  { heading: 'CLOCK' },
  { heading: 'VAULT' },
] as const;

const row = (node: CheckReport['nodes'][number]): readonly string[] => [
  node.name,
  node.problems.length === 0 ? 'ok' : formatAmount(node.problems.length, 'problem'),
  node.product ?? '-',
  node.agent ?? '-',
  node.tools ? (/^aws-cli\/(\S+)/.exec(node.tools.aws)?.[1] ?? node.tools.aws) : '-',
  node.tools?.zstd ?? '-',
  node.freeBytes === null ? '-' : formatBytes(node.freeBytes),
  node.clockSeconds === null ? '-' : node.clockSeconds === 0 ? 'ok' : `${node.clockSeconds} s off`,
  node.vault === null ? '-' : node.vault ? 'ok' : 'refuses',
];

/** Reports what a check has found. Throws a CliError when there is something that a backup would fail by. */
export const concludeCheck = (report: CheckReport, json: boolean, output: Output): Exit => {
  const { system, nodes, steps } = report;
  const problems = problemsOf(report);
  if (!json) {
    if (nodes.length > 0) for (const line of table(columns, nodes.map(row))) output.line(line);
    for (const warning of warningsOf(report)) output.line(`warning: ${warning}`);
    for (const problem of problems) output.line(`problem: ${problem}`);
  }
  if (problems.length > 0)
    throw new CliError(
      'failed',
      `${system} cannot be backed up now: ${formatAmount(problems.length, 'problem')}`,
      `Fix each problem, then run: holdfast check ${system}`,
    );
  if (!json)
    output.note(
      `${system} can be backed up: ${formatAmount(steps.length, 'command')} on ${formatAmount(nodes.length, 'node')}.`,
    );
  return 'ok';
};
