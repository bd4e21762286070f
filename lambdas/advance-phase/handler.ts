import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateBucketName, stateOf } from '../ports/buckets.ts';
import { runCommandOf } from '../ports/run-command.ts';
import { advancePhase } from './advance-phase.ts';

const answers = stateOf('advance-phase');
const services = {
  answers,
  stateBucket: stateBucketName('advance-phase'),
  state: jsonState(answers),
  runCommand: runCommandOf('advance-phase'),
  now: () => new Date(),
};

export const handler = entry('advance-phase', (input) => advancePhase(services, input));
