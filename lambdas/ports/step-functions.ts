import { sfnClient } from '#aws/clients';
import { sfnExecutions, sfnTasks } from '#aws/executions';
import type { ExecutionsOf, TasksOf, VerbWith } from '../verbs.ts';

export const executionsOf = <V extends VerbWith<'executions'>>(_verb: V): ExecutionsOf<V> => sfnExecutions(sfnClient());

export const tasksOf = <V extends VerbWith<'tasks'>>(_verb: V): TasksOf<V> => sfnTasks(sfnClient());
