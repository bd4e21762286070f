import type {
  DescribeExecutionOutput,
  DescribeStateMachineOutput,
  ExecutionListItem,
  GetExecutionHistoryOutput,
  ListExecutionsOutput,
  ListStateMachinesOutput,
  RedriveExecutionOutput,
  StartExecutionOutput,
  StopExecutionOutput,
} from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { ApiError } from './errors.ts';
import type { Execution } from './execution.ts';
import type { Executions } from './executions.ts';
import { withoutData } from './history.ts';
import { isTooLarge, MAX_PAYLOAD_BYTES } from './limits.ts';
import type { Machine } from './machine.ts';

/** A call of the API: takes the request's JSON, returns the response, in which dates are still dates. */
export type Call = (request: unknown) => object | Promise<object>;

const page = { maxResults: z.int().min(0).max(1000).default(0), nextToken: z.string().optional() };
const Status = z.enum(['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED', 'PENDING_REDRIVE']);

const Start = z.object({ stateMachineArn: z.string(), name: z.string().optional(), input: z.string().optional() });
const Stop = z.object({ executionArn: z.string(), error: z.string().optional(), cause: z.string().optional() });
const OneExecution = z.object({ executionArn: z.string() });
const OneMachine = z.object({ stateMachineArn: z.string() });
const List = z.object({ stateMachineArn: z.string(), statusFilter: Status.optional(), ...page });
const History = z.object({
  executionArn: z.string(),
  reverseOrder: z.boolean().default(false),
  includeExecutionData: z.boolean().default(true),
  ...page,
});
const TaskSuccess = z.object({ taskToken: z.string(), output: z.string() });
const TaskFailure = z.object({ taskToken: z.string(), error: z.string().optional(), cause: z.string().optional() });
const TaskHeartbeat = z.object({ taskToken: z.string() });

/** The calls that Holdfast makes, by the name of the API's operation. */
export function createApi(executions: Executions): ReadonlyMap<string, Call> {
  return new Map<string, Call>([
    [
      'StartExecution',
      (request): StartExecutionOutput => {
        const { arn, startDate } = executions.start(parse(Start, request));
        return { executionArn: arn, startDate };
      },
    ],
    [
      'RedriveExecution',
      (request): RedriveExecutionOutput => {
        executions.redrive(parse(OneExecution, request).executionArn);
        return { redriveDate: new Date() };
      },
    ],
    [
      'StopExecution',
      async (request): Promise<StopExecutionOutput> => {
        const { executionArn, error, cause } = parse(Stop, request);
        const execution = executions.get(executionArn);
        if (!execution.outcome) execution.end({ status: 'ABORTED', error, cause });
        return { stopDate: (await execution.ended).stopDate };
      },
    ],
    ['DescribeExecution', (request) => describe(executions.get(parse(OneExecution, request).executionArn))],
    [
      'ListExecutions',
      (request): ListExecutionsOutput => {
        const { stateMachineArn, statusFilter, ...wanted } = parse(List, request);
        const machine = executions.machine(stateMachineArn);
        const all = executions.list().filter((execution) => execution.machine === machine);
        // A token counts from the oldest, so that a new execution moves no page.
        const numbered = all.map((execution, number) => ({ execution, number })).reverse();
        const matching = numbered.filter(({ execution }) => !statusFilter || statusOf(execution) === statusFilter);
        const rest = matching.filter(({ number }) => !wanted.nextToken || number <= Number(wanted.nextToken));
        const size = wanted.maxResults || 100;
        return {
          executions: rest.slice(0, size).map(({ execution }) => listItem(execution)),
          nextToken: rest[size]?.number.toString(),
        };
      },
    ],
    [
      'GetExecutionHistory',
      (request): GetExecutionHistoryOutput => {
        const { executionArn, reverseOrder, includeExecutionData, ...wanted } = parse(History, request);
        const { history } = executions.get(executionArn);
        const from = Number(wanted.nextToken ?? 0);
        const to = from + (wanted.maxResults || 100);
        const events = (reverseOrder ? history.toReversed() : history).slice(from, to);
        return {
          events: includeExecutionData ? events : events.map(withoutData),
          nextToken: to < history.length ? to.toString() : undefined,
        };
      },
    ],
    [
      'ListStateMachines',
      (): ListStateMachinesOutput => ({
        stateMachines: executions.machines.map(({ arn, name, created }) => ({
          stateMachineArn: arn,
          name,
          type: 'STANDARD',
          creationDate: created,
        })),
      }),
    ],
    [
      'DescribeStateMachine',
      (request) => describeMachine(executions.machine(parse(OneMachine, request).stateMachineArn)),
    ],
    [
      'SendTaskSuccess',
      (request) => {
        const { taskToken, output } = parse(TaskSuccess, request);
        if (isTooLarge(output))
          throw new ApiError('ValidationException', `The output exceeds ${MAX_PAYLOAD_BYTES} bytes.`);
        executions.callbacks.succeed(taskToken, output);
        return {};
      },
    ],
    [
      'SendTaskFailure',
      (request) => {
        const { taskToken, error, cause } = parse(TaskFailure, request);
        executions.callbacks.fail(taskToken, error, cause);
        return {};
      },
    ],
    [
      'SendTaskHeartbeat',
      (request) => {
        executions.callbacks.heartbeat(parse(TaskHeartbeat, request).taskToken);
        return {};
      },
    ],
  ]);
}

function parse<T>(schema: z.ZodType<T>, request: unknown): T {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  throw new ApiError('ValidationException', z.prettifyError(parsed.error));
}

const statusOf = (execution: Execution) => execution.outcome?.status ?? 'RUNNING';

const listItem = (execution: Execution): ExecutionListItem => ({
  executionArn: execution.arn,
  stateMachineArn: execution.machine.arn,
  name: execution.name,
  status: statusOf(execution),
  startDate: execution.startDate,
  stopDate: execution.outcome?.stopDate,
});

function describe(execution: Execution): DescribeExecutionOutput {
  const { outcome, input } = execution;
  const described = {
    ...listItem(execution),
    redriveCount: execution.redriveCount,
    input,
    inputDetails: { included: true },
  };
  if (!outcome) return described;
  if (outcome.status !== 'SUCCEEDED') return { ...described, error: outcome.error, cause: outcome.cause };
  return { ...described, output: outcome.output, outputDetails: { included: true } };
}

const describeMachine = ({ arn, name, definition, created }: Machine): DescribeStateMachineOutput => ({
  stateMachineArn: arn,
  name,
  definition,
  status: 'ACTIVE',
  type: 'STANDARD',
  roleArn: `arn:aws:iam::${arn.split(':')[4]}:role/${name}`,
  creationDate: created,
});
