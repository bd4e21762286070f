import { Duration, type Stack } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { type Config, timingsOf } from '#domain/config';
import { fleetMetrics, type SystemMetric, systemMetrics } from '#domain/naming';
import { overdueAfterSeconds } from '#domain/schedule';
import { expiryUrgentDays, expiryWarnDays } from '#domain/systems/puppet-authority';
import type { VerbFunction } from './verb.ts';

/** The machines whose ends wake somebody. */
export type Machines = Readonly<Record<'backup' | 'restore' | 'upgrade' | 'verify' | 'undo', StateMachine>>;

export interface AlarmsProps {
  readonly config: Config;
  readonly now: Date;
  readonly topic: Topic;
  readonly machines: Machines;
  readonly undelivered: Queue;
  readonly measureAge: VerbFunction;
  readonly janitor: VerbFunction;
}

/** A month, a missed run and a few days. */
const verifyOverdueSeconds = 65 * 86_400;

/** A system's metric as its publisher names it. */
export const systemMetric = (
  system: string,
  name: SystemMetric,
  { statistic = Stats.MAXIMUM, period = Duration.hours(1) } = {},
): Metric =>
  new Metric({
    namespace: systemMetrics.namespace,
    metricName: systemMetrics.names[name],
    dimensionsMap: systemMetrics.dimensions(system),
    ...{ statistic, period },
  });

/** Executions that ended in any way but well: Step Functions counts what failed, took too long or was aborted apart. */
export const notSucceeded = (name: keyof Machines, machine: StateMachine, period: Duration): MathExpression =>
  new MathExpression({
    expression: `FILL(${name}Failed, 0) + FILL(${name}TimedOut, 0) + FILL(${name}Aborted, 0)`,
    // On a graph of several machines an id stands for one metric.
    usingMetrics: {
      [`${name}Failed`]: machine.metricFailed({ period }),
      [`${name}TimedOut`]: machine.metricTimedOut({ period }),
      [`${name}Aborted`]: machine.metricAborted({ period }),
    },
    period,
    label: name,
  });

/** Days until the first certificate authority of all systems ends. */
export const authorityDays = (): Metric =>
  new Metric({
    namespace: fleetMetrics.namespace,
    metricName: fleetMetrics.authorityDaysLeft,
    dimensionsMap: fleetMetrics.dimensions,
    ...{ statistic: Stats.MINIMUM, period: Duration.hours(1) },
  });

/** Committed backups of all systems that cannot be read. The janitor counts them once a day. */
export const unreadableBackups = (): Metric =>
  new Metric({
    namespace: fleetMetrics.namespace,
    metricName: fleetMetrics.unreadableBackups,
    dimensionsMap: fleetMetrics.dimensions,
    ...{ statistic: Stats.MAXIMUM, period: Duration.days(1) },
  });

interface Wakes {
  /** Of docs/runbook.md, and the alarm's name. */
  readonly section: string;
  readonly system?: string;
  readonly metric: IMetric;
  /** It wakes above this, */
  readonly above?: number;
  /** or below this. */
  readonly below?: number;
  readonly says: string;
  readonly missing?: TreatMissingData;
  /** For how many periods in a row. */
  readonly periods?: number;
}

/** What wakes somebody for one system; `threshold` is the age of its newest backup in seconds, if it has a schedule. */
const systemAlarms = (system: string, threshold: number | undefined): readonly Wakes[] => [
  ...(threshold !== undefined
    ? [
        {
          ...{ section: 'backup-overdue', system, metric: systemMetric(system, 'age'), above: threshold },
          says: `The newest good backup of ${system} is older than ${threshold} s, or its age is unknown.`,
          missing: TreatMissingData.BREACHING,
        },
      ]
    : []),
  {
    ...{ section: 'backup-size-unusual', system, metric: systemMetric(system, 'deviation') },
    // At half or double.
    above: 1.99,
    says: `The newest backup of ${system} is at most half or at least double the size of the five before it.`,
  },
  {
    ...{ section: 'verify-overdue', system, metric: systemMetric(system, 'verificationAge') },
    above: verifyOverdueSeconds,
    says: `No backup of ${system} has been verified for ${verifyOverdueSeconds / 86_400} days.`,
  },
  {
    section: 'uploads-orphaned',
    system,
    metric: systemMetric(system, 'orphanUploads', { statistic: Stats.MINIMUM, period: Duration.days(1) }),
    above: 0,
    periods: 2,
    says: `The vault holds incomplete uploads of ${system} that neither its lifecycle rule nor the janitor has removed.`,
  },
  {
    ...{ section: 'janitor-refused', system, metric: systemMetric(system, 'janitorRefused') },
    above: 0,
    says: `The janitor would have changed more than a tenth of the objects of ${system}, so it did nothing.`,
  },
  {
    section: 'objects-replaced',
    system,
    metric: systemMetric(system, 'replacedObjects', { period: Duration.days(1) }),
    above: 0,
    says: `Objects of ${system} that belong to committed backups have been overwritten.`,
  },
];

/** What wakes somebody for all systems together. */
const fleetAlarms = ({ machines, undelivered, measureAge, janitor }: AlarmsProps): readonly Wakes[] => {
  const failed = (name: keyof Machines, says: string): Wakes => ({
    section: `${name}-failed`,
    metric: notSucceeded(name, machines[name], Duration.minutes(5)),
    above: 0,
    says,
  });
  return [
    failed('backup', 'A backup failed, timed out or was aborted, and was undone.'),
    failed('restore', 'A restore failed, timed out or was aborted, and was undone.'),
    failed('upgrade', 'An upgrade failed, timed out or was aborted. It stopped where it was.'),
    failed('verify', 'A backup could not be read back, or differs from what was committed.'),
    failed('undo', 'The undo of a failed run failed: services may be down.'),
    ...(
      [
        ['authority-expiring', expiryWarnDays],
        ['authority-expiring-soon', expiryUrgentDays],
      ] as const
    ).map(([section, below]) => ({
      ...{ section, below, metric: authorityDays() },
      says: `The certificate authority of a system, or its revocation list, expires in less than ${below} days. No agent can connect after that.`,
    })),
    {
      section: 'backup-unreadable',
      metric: unreadableBackups(),
      above: 0,
      says: 'Manifests of committed backups are damaged, from a newer version, or not signed. These backups cannot be restored.',
    },
    {
      section: 'event-undelivered',
      metric: undelivered.metricApproximateNumberOfMessagesVisible({
        ...{ period: Duration.minutes(5), statistic: Stats.MAXIMUM },
      }),
      above: 0,
      says: 'A schedule or rule could not start its target.',
    },
    {
      section: 'measure-age-failed',
      metric: measureAge.function.metricErrors({ period: Duration.hours(1) }),
      above: 0,
      says: 'The age of backups could not be measured.',
    },
    {
      section: 'janitor-failed',
      metric: janitor.function.metricErrors({ period: Duration.hours(1) }),
      above: 0,
      says: 'The janitor failed: a system was not cleaned up.',
    },
  ];
};

/** What wakes somebody. Each alarm has a section of its name in docs/runbook.md, to which its description leads. */
export const addAlarms = (stack: Stack, props: AlarmsProps): readonly Alarm[] => {
  const { config, now, topic } = props;
  const tell = new SnsAction(topic);
  const runbook = config.notifications.runbook ?? 'docs/runbook.md';
  const alarm = ({ section, system, metric, above, below = 0, says, missing, periods = 1 }: Wakes): Alarm => {
    const alarmName = ['holdfast', ...(system === undefined ? [] : [system]), section].join('-');
    const made = new Alarm(stack, `Alarm-${alarmName}`, {
      alarmName,
      alarmDescription: `${says} See ${runbook}#${section}`,
      metric,
      threshold: above ?? below,
      comparisonOperator:
        above === undefined ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
    });
    made.addAlarmAction(tell);
    made.addOkAction(tell);
    return made;
  };
  const ofSystems = Object.entries(config.systems).flatMap(([system, configured]) =>
    systemAlarms(
      system,
      overdueAfterSeconds(
        timingsOf(config, configured).map(({ timing }) => timing),
        now,
      ),
    ),
  );
  return [...ofSystems, ...fleetAlarms(props)].map(alarm);
};
