import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateBucketName, stateOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { runCommandOf, ticketsOf } from '../ports/run-command.ts';
import { advancePhase } from './advance-phase.ts';

const answers = stateOf('advance-phase');
const services = {
  config: configOf('advance-phase'),
  answers,
  stateBucket: stateBucketName('advance-phase'),
  state: jsonState(answers),
  runCommand: runCommandOf('advance-phase'),
  tickets: ticketsOf('advance-phase'),
  now: () => new Date(),
};

export const handler = entry('advance-phase', (input) => advancePhase(services, input));
