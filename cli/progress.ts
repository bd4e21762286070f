import { type Connection, sameConnection } from './connection.ts';
import type { ReadProgress, RunProgress, UploadedProgress } from './follow-run.ts';
import { formatAmount, formatBytes, formatCount, formatDuration, formatMoment } from './format.ts';
import type { Estimate } from './last-run.ts';
import type { Output } from './output.ts';
import type { CommandProgress, PhaseProgress } from './phase-progress.ts';
import type { Step } from './step.ts';

/** How a run under way looks: a block that is drawn again on a terminal, else a line for each thing that happened. */

/** Running commands that a block shows one by one; the others are counted. */
const commandsShown = 8;

const uploadedText = ({ bytes, bytesPerSecond, stored, underWay }: UploadedProgress): string =>
  [
    `${formatBytes(bytes)} in the vault`,
    ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
    `${formatAmount(stored, 'object')} stored`,
    ...(underWay === 0 ? [] : [`${underWay} under way`]),
  ].join(', ');

const readText = ({ bytes, total, bytesPerSecond }: ReadProgress): string =>
  [
    `${formatBytes(bytes)}${total === undefined ? '' : ` of ${formatBytes(total)}`} read back`,
    ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
    ...(total ? [`${Math.floor((bytes / total) * 100)}%`] : []),
    ...(total && bytesPerSecond ? [`about ${formatDuration((total - bytes) / bytesPerSecond)} left`] : []),
  ].join(', ');

const phaseText = ({ state, seconds, commands }: PhaseProgress): string => {
  const over = commands.filter((command) => command.state === 'succeeded' || command.state === 'failed').length;
  switch (state) {
    case 'waiting':
      return `waits with ${formatAmount(commands.length, 'command')}`;
    case 'running':
      return `running for ${formatDuration(seconds)}, ${over} of ${formatAmount(commands.length, 'command')} ended`;
    case 'done':
      return `done in ${formatDuration(seconds)}`;
    case 'failed':
    case 'stopped':
      return `${state}, ${over} of ${formatAmount(commands.length, 'command')} ended`;
    default:
      return state satisfies never;
  }
};

const nodesText = ({ nodes }: CommandProgress): string =>
  nodes === undefined
    ? ''
    : `, ${formatCount(nodes.completed)} of ${formatAmount(nodes.nodes, 'node')}${nodes.failed === 0 ? '' : `, ${formatCount(nodes.failed)} failed`}`;

const commandText = (command: CommandProgress): string => {
  switch (command.state) {
    case 'waiting':
      return `${command.id} waits`;
    case 'stopped':
      return `${command.id} stopped`;
    case 'running':
      return `${command.id} running for ${formatDuration(command.seconds)}${nodesText(command)}`;
    case 'succeeded':
    case 'failed':
      return `${command.id} ${command.state} after ${formatDuration(command.seconds)}${nodesText(command)}`;
    default:
      return command satisfies never;
  }
};

const heading = ({ run, system = 'starting', backup, seconds, step, outcome }: RunProgress): string =>
  [
    `${system}${backup === undefined ? '' : `/${backup}`}`,
    `run ${run}`,
    `${outcome ? 'ended after ' : ''}${formatDuration(seconds)}`,
    ...(step === undefined ? [] : [`at ${step.state}`]),
  ].join(', ');

const estimateText = ({ percent, secondsLeft, lastSeconds }: Estimate): string =>
  `${percent}%, about ${formatDuration(secondsLeft)} left; the last one took ${formatDuration(lastSeconds)}`;

const untilText = (approvalUntil: string): string =>
  `waiting for approval until ${formatMoment(new Date(approvalUntil))}`;

/** What a run waits for that a person must do; undefined when it waits for nobody. */
export const waitingText = (
  connection: Pick<Connection, 'options'>,
  run: string,
  step: Step | undefined,
): string | undefined =>
  step?.approvalUntil === undefined
    ? undefined
    : `${untilText(step.approvalUntil)}: ${sameConnection(connection, `holdfast approve ${run}`)}`;

/** The block of lines that shows a run on a terminal. */
export const progressBlock = (progress: RunProgress): readonly string[] => {
  const width = Math.max(...progress.phases.map(({ name }) => name.length));
  return [
    heading(progress),
    ...(progress.step?.approvalUntil === undefined ? [] : [`  ${untilText(progress.step.approvalUntil)}`]),
    ...progress.phases.flatMap((phase) => {
      const shown = phase.commands.filter(({ state }) => state === 'running' || state === 'failed');
      return [
        `  ${phase.name.padEnd(width)}  ${phaseText(phase)}`,
        ...shown.slice(0, commandsShown).map((command) => `    ${commandText(command)}`),
        ...(shown.length > commandsShown ? [`    and ${shown.length - commandsShown} more`] : []),
      ];
    }),
    ...(progress.uploaded === undefined ? [] : [`  ${uploadedText(progress.uploaded)}`]),
    ...(progress.read === undefined ? [] : [`  ${readText(progress.read)}`]),
    ...(progress.estimate === undefined ? [] : [`  ${estimateText(progress.estimate)}`]),
  ];
};

/** One line for each phase and command whose state is another than before. */
export const progressChanges = (before: RunProgress | undefined, now: RunProgress): readonly string[] => {
  const states = (progress: RunProgress | undefined) =>
    new Map(
      progress?.phases.flatMap(({ name, state, commands }) => [
        [name, state] as const,
        ...commands.map((command) => [`${name}/${command.id}`, command.state] as const),
      ]),
    );
  const old = states(before);
  return now.phases
    .flatMap((phase) => [
      ...(phase.state !== 'waiting' && phase.state !== 'done' && old.get(phase.name) !== phase.state
        ? [`${phase.name}: ${phaseText(phase)}`]
        : []),
      ...phase.commands
        .filter(({ id, state }) => state !== 'waiting' && state !== old.get(`${phase.name}/${id}`))
        .map((command) => `${phase.name}: ${commandText(command)}`),
      ...(phase.state === 'done' && old.get(phase.name) !== 'done' ? [`${phase.name}: ${phaseText(phase)}`] : []),
    ])
    .map((line) => `[${formatDuration(now.seconds)}] ${line}`);
};

/** What has moved, in one line; undefined when no bytes do. */
const movedText = ({ uploaded, read, estimate }: RunProgress): string | undefined =>
  uploaded || read
    ? [
        ...(uploaded ? [uploadedText(uploaded)] : []),
        ...(read ? [readText(read)] : []),
        ...(estimate ? [estimateText(estimate)] : []),
      ].join(', ')
    : undefined;

/** How often the bytes are told where nothing can be drawn again, in seconds. */
const bytesEverySeconds = 30;

/** Shows one snapshot after another of the same run. */
export const progressDisplay = (
  output: Output,
  connection: Pick<Connection, 'options'> = { options: {} },
): ((progress: RunProgress) => void) => {
  let before: RunProgress | undefined;
  let waitedFor: string | undefined;
  let bytesTold = 0;
  return (progress) => {
    const waiting = waitingText(connection, progress.run, progress.step);
    const note = (text: string): void => output.note(`[${formatDuration(progress.seconds)}] ${text}`);
    // Told apart from the block too, whose lines are cut at the terminal's width: this one is to be copied.
    if (waiting !== undefined && waiting !== waitedFor) note(waiting);
    if (output.isTerminal) output.draw(progressBlock(progress));
    else {
      for (const line of progressChanges(before, progress)) output.note(line);
      const moved = movedText(progress);
      if (moved !== undefined && progress.seconds - bytesTold >= bytesEverySeconds) {
        bytesTold = progress.seconds;
        note(moved);
      }
    }
    waitedFor = waiting;
    before = progress;
  };
};
