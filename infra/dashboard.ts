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
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Config } from '#domain/config';
import type { SystemMetric } from '#domain/naming';
import { systemMetric } from './alarms.ts';

export interface DashboardProps {
  readonly config: Config;
  readonly alarms: readonly Alarm[];
  readonly machines: readonly StateMachine[];
  readonly undelivered: Queue;
}

/** Whether all is well, on one page: what wakes somebody first, then a line per system of everything that is measured. */
export const addDashboard = (stack: Stack, { config, alarms, machines, undelivered }: DashboardProps): Dashboard => {
  const systems = Object.keys(config.systems);
  const graph = (title: string, more: Omit<GraphWidgetProps, 'title'>): GraphWidget =>
    new GraphWidget({ title, width: 8, height: 6, ...more, leftYAxis: { min: 0, showUnits: false } });
  const perSystem = (title: string, name: SystemMetric): GraphWidget =>
    graph(title, { left: systems.map((system) => systemMetric(system, name).with({ label: system })) });
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
          markdown: `# Holdfast\n\`npx holdfast systems\` tells the same in a terminal. What each alarm means and how to mend it: ${runbook}`,
        }),
      ],
      [new AlarmStatusWidget({ title: 'Alarms', width: 24, height: 4, alarms: [...alarms] })],
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
        graph('Runs that ended well', { left: machines.map((machine) => machine.metricSucceeded({ period })) }),
        graph('Runs that failed', { left: machines.map((machine) => machine.metricFailed({ period })) }),
        graph('Events that were not delivered', {
          left: [undelivered.metricApproximateNumberOfMessagesVisible({ period })],
        }),
      ],
    ],
  });
};
