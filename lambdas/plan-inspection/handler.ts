import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { runCommandOf } from '../ports/run-command.ts';
import { planInspection } from './plan-inspection.ts';

const services = {
  config: configOf('plan-inspection'),
  state: jsonState(stateOf('plan-inspection')),
  runCommand: runCommandOf('plan-inspection'),
};

export const handler = entry('plan-inspection', (ref) => planInspection(services, ref));
