import {
  GetScheduleCommand,
  type GetScheduleCommandOutput,
  ResourceNotFoundException,
  type SchedulerClient,
  type ScheduleState,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import type { Schedules } from '#domain/ports';

/** EventBridge Scheduler: the schedules of one group. */
export const eventSchedules = (client: SchedulerClient, group: string): Schedules => {
  const find = async (Name: string): Promise<GetScheduleCommandOutput | undefined> => {
    try {
      return await client.send(new GetScheduleCommand({ GroupName: group, Name }));
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  };
  const bring = async (Name: string, State: ScheduleState): Promise<void> => {
    const found = await find(Name);
    if (found === undefined || found.State === State) return;
    // An update sets every field that it does not name back to its default.
    await client
      .send(
        new UpdateScheduleCommand({
          GroupName: group,
          Name,
          State,
          Description: found.Description,
          ScheduleExpression: found.ScheduleExpression,
          ScheduleExpressionTimezone: found.ScheduleExpressionTimezone,
          StartDate: found.StartDate,
          EndDate: found.EndDate,
          FlexibleTimeWindow: found.FlexibleTimeWindow,
          Target: found.Target,
          KmsKeyArn: found.KmsKeyArn,
          ActionAfterCompletion: found.ActionAfterCompletion,
        }),
      )
      .catch((error: unknown) => {
        if (!(error instanceof ResourceNotFoundException)) throw error;
      });
  };
  return {
    isEnabled: async (name) => (await find(name))?.State === 'ENABLED',
    pause: (name) => bring(name, 'DISABLED'),
    resume: (name) => bring(name, 'ENABLED'),
  };
};
