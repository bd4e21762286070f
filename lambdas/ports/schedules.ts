import { schedulerClient } from '#aws/clients';
import { eventSchedules } from '#aws/schedules';
import { scheduleGroup } from '#domain/naming';
import type { SchedulesOf, VerbWith } from '../verbs.ts';

export const schedulesOf = <V extends VerbWith<'schedules'>>(_verb: V): SchedulesOf<V> =>
  eventSchedules(schedulerClient(), scheduleGroup);
