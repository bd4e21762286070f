import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf } from '../ports/buckets.ts';
import { runCommandOf } from '../ports/run-command.ts';
import { planUndo } from './plan-undo.ts';

const services = {
  state: jsonState(stateOf('plan-undo')),
  runCommand: runCommandOf('plan-undo'),
};

export const handler = entry('plan-undo', ({ run }) => planUndo(services, run));
