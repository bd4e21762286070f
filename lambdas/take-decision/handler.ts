import { entry } from '../entry.ts';
import { stateOf } from '../ports/buckets.ts';
import { takeDecision } from './take-decision.ts';

const state = stateOf('take-decision');

export const handler = entry('take-decision', (ref) => takeDecision(state, ref));
