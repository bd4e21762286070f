import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Config } from '#domain/config';
import { addAlarms } from './alarms.ts';
import type { ControlStack } from './control-stack.ts';
import { addDashboard } from './dashboard.ts';

export interface AlarmsStackProps extends StackProps {
  readonly config: Config;
  readonly control: ControlStack;
  readonly now: Date;
}

/** What wakes somebody, and the dashboard. A stack of its own: its alarms grow with the systems, and a stack holds 500 resources. */
export class AlarmsStack extends Stack {
  constructor(scope: Construct, id: string, { config, control, now, ...props }: AlarmsStackProps) {
    super(scope, id, props);
    const { machines, undelivered, measureAge, janitor, topic } = control;
    const alarms = addAlarms(this, { config, now, topic, machines, undelivered, measureAge, janitor });
    addDashboard(this, { config, alarms, machines, undelivered });
  }
}
