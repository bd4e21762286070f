import type { RequestListener } from 'node:http';
import { json } from 'node:stream/consumers';
import * as z from 'zod';
import { type Config, timingsOf } from '#domain/config';
import { scheduleGroup, scheduleName, stateMachineName } from '#domain/naming';
import { schedulerExpression, spreadMinutes, type Timing } from '#domain/schedule';

const State = z.enum(['ENABLED', 'DISABLED']);

/** The body of UpdateSchedule. What it leaves out gets its default: nothing of the schedule before is kept. */
const Schedule = z.object({
  GroupName: z.string().default('default'),
  Description: z.string().optional(),
  State: State.default('ENABLED'),
  ScheduleExpression: z.string().regex(/^(cron|rate|at)\(.+\)$/),
  ScheduleExpressionTimezone: z.string().default('UTC'),
  StartDate: z.number().optional(),
  EndDate: z.number().optional(),
  FlexibleTimeWindow: z.looseObject({ Mode: z.enum(['OFF', 'FLEXIBLE']) }),
  Target: z.looseObject({ Arn: z.string(), RoleArn: z.string() }),
  KmsKeyArn: z.string().optional(),
  ActionAfterCompletion: z.enum(['NONE', 'DELETE']).default('NONE'),
});
type Schedule = z.infer<typeof Schedule>;

export interface Scheduler {
  /** Answers GetSchedule and UpdateSchedule. */
  readonly handle: RequestListener;
  states(): Readonly<Record<string, z.infer<typeof State>>>;
}

/**
 * EventBridge Scheduler's API on the schedules of a configuration, as a deployment makes them. It remembers what a
 * schedule is told to be; the ticks come from `keepSchedules`, which minds the state alone.
 */
export const createScheduler = (config: Config, region: string, account: string): Scheduler => {
  const created = Date.now() / 1000;
  const deployed = (system: string, schedule: string, timing: Timing): Schedule => {
    const spread = spreadMinutes(timing, new Date(created * 1000));
    return Schedule.parse({
      GroupName: scheduleGroup,
      ScheduleExpression: schedulerExpression(timing),
      ScheduleExpressionTimezone: 'timezone' in timing ? timing.timezone : 'UTC',
      FlexibleTimeWindow: spread === 0 ? { Mode: 'OFF' } : { Mode: 'FLEXIBLE', MaximumWindowInMinutes: spread },
      Target: {
        Arn: `arn:aws:states:${region}:${account}:stateMachine:${stateMachineName('backup')}`,
        RoleArn: `arn:aws:iam::${account}:role/holdfast-schedules`,
        Input: JSON.stringify({ system, schedule, scheduledTime: '<aws.scheduler.scheduled-time>' }),
      },
    });
  };
  const schedules = new Map(
    Object.entries(config.systems).flatMap(([system, configured]) =>
      timingsOf(config, configured).map(
        ({ name, timing }) => [scheduleName(system, name), deployed(system, name, timing)] as const,
      ),
    ),
  );
  const arn = (name: string): string => `arn:aws:scheduler:${region}:${account}:schedule/${scheduleGroup}/${name}`;
  const known = (name: string, group: string): Schedule | undefined =>
    group === scheduleGroup ? schedules.get(name) : undefined;

  return {
    states: () => Object.fromEntries(Array.from(schedules, ([name, { State: state }]) => [name, state])),
    handle: async (request, response) => {
      const answer = (status: number, body: object, headers: Record<string, string> = {}): void => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
      };
      const refuse = (status: number, type: string, Message: string): void =>
        answer(status, { Message }, { 'x-amzn-errortype': type });
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://scheduler');
      const name = /^\/schedules\/([\w.-]+)$/.exec(pathname)?.[1] ?? '';
      const missing = (): void => refuse(404, 'ResourceNotFoundException', `Schedule ${name} does not exist.`);
      if (request.method === 'GET') {
        const found = known(name, searchParams.get('groupName') ?? 'default');
        if (!found) return missing();
        return answer(200, { ...found, Name: name, Arn: arn(name), CreationDate: created });
      }
      const update = Schedule.safeParse(await json(request).catch(() => undefined));
      if (request.method !== 'PUT' || !update.success)
        return refuse(400, 'ValidationException', update.error ? z.prettifyError(update.error) : 'not supported here');
      if (!known(name, update.data.GroupName)) return missing();
      schedules.set(name, update.data);
      answer(200, { ScheduleArn: arn(name) });
    },
  };
};
