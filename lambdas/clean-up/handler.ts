import { entry } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { schedulesOf } from '../ports/schedules.ts';
import { cleanUp } from './clean-up.ts';

const services = {
  state: stateOf('clean-up'),
  vault: vaultOf('clean-up'),
  schedules: schedulesOf('clean-up'),
};

export const handler = entry('clean-up', ({ run }) => cleanUp(services, run));
