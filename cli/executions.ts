import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  type ExecutionListItem,
  type ExecutionStatus,
  paginateListExecutions,
} from '@aws-sdk/client-sfn';
import { pMapIterable } from 'p-map';
import * as z from 'zod';
import { Ended } from '#domain/contracts/machine';
import { RunId, stateMachineName } from '#domain/naming';
import { operations, type RunRef } from '#domain/payloads';
import { CliError } from './cli-error.ts';
import { type Connection, executionArn, machineArn, sameConnection } from './connection.ts';

/** The runs that Step Functions knows, for 90 days after their end. */

const states = {
  RUNNING: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  ABORTED: 'cancelled',
  TIMED_OUT: 'timed out',
  PENDING_REDRIVE: 'failed',
} as const satisfies Record<ExecutionStatus, string>;
export type RunState = (typeof states)[ExecutionStatus];

/** A run as Step Functions describes it. */
export interface Run {
  readonly run: string;
  readonly execution: string;
  readonly operation: RunRef['operation'];
  readonly state: RunState;
  readonly startedAt: Date;
  /** Absent while it is under way. */
  readonly endedAt?: Date;
  /** Absent when its input names none, or may not be read. */
  readonly system?: string;
  /** Of a backup: the run under whose lock it works. */
  readonly lockedBy?: string;
  /** A safety backup: what is broken is left out of it. */
  readonly safety: boolean;
  /** Of one that succeeded. */
  readonly ended?: Ended;
  /** Of one that did not. */
  readonly failure?: { readonly error: string; readonly cause: string };
}

/** What a state machine is asked for. */
const Asked = z.object({ system: z.string(), lockedBy: z.string().optional(), safety: z.boolean().optional() });

/** What the Lambda service makes of a handler's error. */
const LambdaCause = z.object({ errorMessage: z.string() });

const parseJson = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
};

/** Why an execution did not succeed; undefined for one that did, or is under way. */
const failureOf = ({ status, error, cause }: DescribeExecutionCommandOutput): Run['failure'] => {
  switch (status) {
    case 'RUNNING':
    case 'SUCCEEDED':
      return undefined;
    case 'ABORTED':
      return { error: 'Aborted', cause: cause ?? 'somebody stopped the run' };
    case 'TIMED_OUT':
      return { error: 'TimedOut', cause: cause ?? 'the run timed out' };
    default: {
      const reported = LambdaCause.safeParse(parseJson(cause));
      const told = reported.success ? reported.data.errorMessage : cause;
      return { error: error ?? 'Failed', cause: told ?? 'the run gave no reason' };
    }
  }
};

const operationOf = (execution: string): Run['operation'] => {
  const machine = execution.split(':').at(-2);
  const found = operations.find((operation) => stateMachineName(operation) === machine);
  if (found) return found;
  throw new CliError(
    'unexpected',
    `${execution} is no run that this version knows`,
    'Use a newer version of Holdfast.',
  );
};

/** A run by the ARN of its execution. Undefined when there is no such execution, or no longer. */
export const describeRun = async (
  { stepFunctions }: Pick<Connection, 'stepFunctions'>,
  execution: string,
): Promise<Run | undefined> => {
  let described: DescribeExecutionCommandOutput;
  try {
    described = await stepFunctions.send(new DescribeExecutionCommand({ executionArn: execution }));
  } catch (error) {
    if (error instanceof Error && ['ExecutionDoesNotExist', 'StateMachineDoesNotExist'].includes(error.name))
      return undefined;
    throw error;
  }
  const asked = Asked.safeParse(parseJson(described.input)).data;
  const ended = Ended.safeParse(parseJson(described.output)).data;
  const failure = failureOf(described);
  return {
    run: described.name ?? execution.split(':').at(-1) ?? execution,
    execution,
    operation: operationOf(execution),
    state: states[described.status ?? 'RUNNING'],
    startedAt: described.startDate ?? new Date(),
    ...(described.stopDate && { endedAt: described.stopDate }),
    ...(asked && { system: asked.system }),
    ...(asked?.lockedBy !== undefined && { lockedBy: asked.lockedBy }),
    safety: asked?.safety === true,
    ...(ended && { ended }),
    ...(failure && { failure }),
  };
};

/** Throws a CliError when a text can't be a run's name. */
export const assertRun = (text: string): void => {
  if (RunId.safeParse(text).success) return;
  throw new CliError('usage', `not the name of a run: ${text}`, 'Give one as `holdfast runs` lists them.');
};

/** The run of a name. Throws a CliError when there is none. */
export const findRun = async (
  connection: Pick<Connection, 'stepFunctions' | 'backupMachineArn' | 'options'>,
  run: string,
): Promise<Run> => {
  const found = await Promise.all(
    operations.map((operation) => describeRun(connection, executionArn(connection, operation, run))),
  );
  const one = found.find((candidate) => candidate !== undefined);
  if (one) return one;
  throw new CliError(
    'not-found',
    `there is no run ${run}, or it ended more than 90 days ago`,
    `List the runs: ${sameConnection(connection, 'holdfast runs')}`,
  );
};

type Listing = Pick<Connection, 'stepFunctions' | 'backupMachineArn'>;
async function* listMachine(
  connection: Listing,
  operation: Run['operation'],
  statusFilter: ExecutionStatus | undefined,
): AsyncGenerator<ExecutionListItem, undefined> {
  const stateMachineArn = machineArn(connection, operation);
  const pages = paginateListExecutions(
    { client: connection.stepFunctions, pageSize: 50 },
    { stateMachineArn, ...(statusFilter && { statusFilter }) },
  );
  try {
    for await (const { executions = [] } of pages) yield* executions;
  } catch (error) {
    // A deployment of an older version lacks the machines of newer operations.
    if (!(error instanceof Error && error.name === 'StateMachineDoesNotExist')) throw error;
  }
}

/** Which runs are wanted: those of every operation and of every status when nothing is said. */
export interface Wanted {
  readonly operations?: readonly Run['operation'][];
  readonly statuses?: readonly ExecutionStatus[];
}

/** Executions, newest first. */
async function* listExecutions(
  connection: Listing,
  { operations: wanted = operations, statuses }: Wanted,
): AsyncGenerator<ExecutionListItem, void> {
  const machines = wanted.flatMap((operation) =>
    (statuses ?? [undefined]).map((status) => listMachine(connection, operation, status)),
  );
  const heads = await Promise.all(machines.map(async (machine) => ({ machine, next: await machine.next() })));
  const startOf = ({ next }: (typeof heads)[number]): number => next.value?.startDate?.getTime() ?? 0;
  for (;;) {
    const newest = heads.filter(({ next }) => next.done !== true).toSorted((a, b) => startOf(b) - startOf(a))[0];
    if (newest?.next.value === undefined) return;
    yield newest.next.value;
    newest.next = await newest.machine.next();
  }
}

/** Executions that are described side by side: far below what Step Functions allows at once. */
const describedAtOnce = 10;

/** Runs, newest first. Each costs a call, so whoever has seen enough should stop asking. */
export async function* listRuns(connection: Listing, wanted: Wanted = {}): AsyncGenerator<Run, void, undefined> {
  const described = pMapIterable(
    listExecutions(connection, wanted),
    ({ executionArn: execution }) => (execution === undefined ? undefined : describeRun(connection, execution)),
    { concurrency: describedAtOnce },
  );
  for await (const run of described) if (run !== undefined) yield run;
}

/** The statuses of a run that ended without success. */
export const unsuccessful = ['FAILED', 'TIMED_OUT', 'ABORTED'] as const satisfies readonly ExecutionStatus[];

/** The names of the newest runs of each operation: a call each, since nothing more is told of them. */
export const runNames = async (connection: Listing, each: number): Promise<readonly string[]> => {
  const lists = operations.map(async (operation) => {
    const names: string[] = [];
    for await (const { name } of listMachine(connection, operation, undefined)) {
      if (name !== undefined) names.push(name);
      if (names.length === each) break;
    }
    return names;
  });
  return (await Promise.all(lists)).flat();
};
