import { Duration, RemovalPolicy, Stack, type StackProps, TimeZone } from 'aws-cdk-lib';
import {
  ContextAttribute,
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
  TimeWindow,
} from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Construct } from 'constructs';
import { type Config, timingsOf } from '#domain/config';
import { scheduleGroup, scheduleName, verifyScheduleName } from '#domain/naming';
import { longestGap, schedulerExpression, spreadMinutes, type Timing } from '#domain/schedule';
import type { ControlStack } from './control-stack.ts';

/** The age of a system's newest backup is measured this often. */
const measureEvery = Duration.minutes(15);

/** On the first of each month, at noon in UTC: backups are made at night. */
const verifySchedule = 'cron(0 12 1 * ? *)';

/** Daily, at a quarter past one in the afternoon, UTC. */
const janitorSchedule = 'cron(15 13 * * ? *)';

export interface SchedulesStackProps extends StackProps {
  readonly config: Config;
  readonly control: ControlStack;
  /** For the longest gap of schedules, which depends on when the next change of daylight saving time is. */
  readonly now: Date;
}

/** What starts by itself. A stack of its own: their number grows with the systems, and a stack holds 500 resources. */
export class SchedulesStack extends Stack {
  constructor(scope: Construct, id: string, { config, control, now, ...props }: SchedulesStackProps) {
    super(scope, id, props);
    const { machines, measureAge, janitor, undelivered: deadLetterQueue, startBackups: role } = control;
    const group = new ScheduleGroup(this, 'Schedules', {
      scheduleGroupName: scheduleGroup,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    for (const [system, configured] of Object.entries(config.systems))
      for (const { name, timing } of timingsOf(config, configured))
        new Schedule(this, `Schedule-${system}.${name}`, {
          scheduleName: scheduleName(system, name),
          scheduleGroup: group,
          schedule: ScheduleExpression.expression(
            schedulerExpression(timing),
            TimeZone.of('timezone' in timing ? timing.timezone : 'UTC'),
          ),
          timeWindow: timeWindow(spreadMinutes(timing, now)),
          target: new StepFunctionsStartExecution(machines.backup, {
            role,
            input: ScheduleTargetInput.fromObject({
              system,
              schedule: name,
              scheduledTime: ContextAttribute.scheduledTime,
            }),
            deadLetterQueue,
            retryAttempts: 5,
            maxEventAge: maximumAge(timing, now),
          }),
        });
    for (const system of Object.keys(config.systems))
      new Schedule(this, `Verify-${system}`, {
        scheduleName: verifyScheduleName(system),
        scheduleGroup: group,
        schedule: ScheduleExpression.expression(verifySchedule),
        // Each reads backups for up to a quarter of an hour at a time.
        timeWindow: timeWindow(360),
        target: new StepFunctionsStartExecution(machines.verify, {
          input: ScheduleTargetInput.fromObject({ system }),
          deadLetterQueue,
          retryAttempts: 5,
          maxEventAge: Duration.hours(12),
        }),
      });
    new Schedule(this, 'MeasureAge', {
      scheduleName: 'holdfast-measure-age',
      scheduleGroup: group,
      schedule: ScheduleExpression.rate(measureEvery),
      target: new LambdaInvoke(measureAge.function, {
        input: ScheduleTargetInput.fromObject({}),
        deadLetterQueue,
        retryAttempts: 2,
        maxEventAge: measureEvery,
      }),
    });
    new Schedule(this, 'Janitor', {
      scheduleName: 'holdfast-janitor',
      scheduleGroup: group,
      schedule: ScheduleExpression.expression(janitorSchedule),
      target: new LambdaInvoke(janitor.function, {
        input: ScheduleTargetInput.fromObject({}),
        deadLetterQueue,
        retryAttempts: 2,
        maxEventAge: Duration.hours(12),
      }),
    });
    // The group's name is known before it is there, so nothing else says that it comes first.
    for (const child of this.node.children) if (child instanceof Schedule) child.node.addDependency(group);
  }
}

const timeWindow = (minutes: number): TimeWindow =>
  minutes === 0 ? TimeWindow.off() : TimeWindow.flexible(Duration.minutes(minutes));

/** How late a schedule may still start its backup: half the time to its next slot, from a minute to an hour. */
const maximumAge = (timing: Timing, now: Date): Duration =>
  Duration.seconds(Math.round(Math.min(3600, Math.max(60, longestGap(timing, now) / 2000))));
