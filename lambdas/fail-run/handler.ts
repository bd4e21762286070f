import { entry } from '../entry.ts';
import { tasksOf } from '../ports/step-functions.ts';
import { failRun } from './fail-run.ts';

const tasks = tasksOf('fail-run');

export const handler = entry('fail-run', (input) => failRun(tasks, input));
