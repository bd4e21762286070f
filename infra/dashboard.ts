import { Duration, type Stack } from 'aws-cdk-lib';
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type GraphWidgetProps,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Config } from '#domain/config';
import type { SystemMetric } from '#domain/naming';
import { authorityDays, type Machines, notSucceeded, systemMetric, unreadableBackups } from './alarms.ts';

export interface DashboardProps {
  readonly config: Config;
  readonly alarms: readonly Alarm[];
  readonly machines: Machines;
  readonly undelivered: Queue;
}

/** CloudWatch refuses a dashboard with a widget of more. */
const alarmsPerWidget = 100;

const chunks = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, number) => list.slice(number * size, (number + 1) * size));

/** Whether all is well, on one page: what wakes somebody first, then a line per system of everything that is measured. */
export const addDashboard = (stack: Stack, { config, alarms, machines, undelivered }: DashboardProps): Dashboard => {
  const systems = Object.keys(config.systems);
  const graph = (title: string, more: Omit<GraphWidgetProps, 'title'>): GraphWidget =>
    new GraphWidget({ title, width: 8, height: 6, ...more, leftYAxis: { min: 0, showUnits: false } });
  const perSystem = (title: string, name: SystemMetric): GraphWidget =>
    graph(title, { left: systems.map((system) => systemMetric(system, name).with({ label: system })) });
  const machineNames = ['backup', 'restore', 'upgrade', 'verify', 'undo'] as const;
  const period = Duration.hours(1);
  const runbook = config.notifications.runbook ?? 'docs/runbook.md';
  return new Dashboard(stack, 'Dashboard', {
    dashboardName: 'holdfast',
    defaultInterval: Duration.days(14),
    widgets: [
      [
        new TextWidget({
          width: 24,
          height: 2,
          markdown: `# Holdfast\n\`npx holdfast systems\` tells the same in a terminal. What each alarm means and how to fix it: ${runbook}`,
        }),
      ],
      ...chunks(alarms, alarmsPerWidget).map((some, number, all) => [
        new AlarmStatusWidget({
          title: all.length === 1 ? 'Alarms' : `Alarms, ${number + 1} of ${all.length}`,
          width: 24,
          height: 4,
          alarms: [...some],
        }),
      ]),
      [
        perSystem('Age of the newest good backup, seconds', 'age'),
        perSystem('Its duration, seconds', 'duration'),
        perSystem('Its size, bytes', 'bytes'),
      ],
      [
        perSystem('Its size against the five before it, times', 'deviation'),
        perSystem('Since a backup was last read back, seconds', 'verificationAge'),
        perSystem('Uploads that nobody ends', 'orphanUploads'),
      ],
      [
        graph('Until the first certificate authority or its revocation list ends, days', { left: [authorityDays()] }),
        graph('Backups that cannot be read', { left: [unreadableBackups()] }),
      ],
      [
        graph('Runs that succeeded', { left: machineNames.map((name) => machines[name].metricSucceeded({ period })) }),
        graph('Runs that failed, timed out or were aborted', {
          left: machineNames.map((name) => notSucceeded(name, machines[name], period)),
        }),
        graph('Events that were not delivered', {
          left: [undelivered.metricApproximateNumberOfMessagesVisible({ period })],
        }),
      ],
    ],
  });
};
