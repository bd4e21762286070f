import {
  CancelCommandCommand,
  GetCommandInvocationCommand,
  type InstanceInformation,
  InvalidInstanceId,
  paginateDescribeInstanceInformation,
  paginateListCommandInvocations,
  paginateListCommands,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { NodeUnreachableError } from '#domain/errors';
import { InvocationStatus } from '#domain/phase';
import { deliveryTimeoutSeconds } from '#domain/plan';
import type { ManagedNode, RunCommand } from '#domain/ports';

const managedNode = ({ InstanceId, ComputerName, PingStatus }: InstanceInformation): ManagedNode => ({
  instanceId: InstanceId ?? '',
  name: ComputerName || InstanceId || '',
  online: PingStatus === 'Online',
});

/** How ListCommandInvocations marks that it gives only the first 2,500 characters of an output. */
const truncationMark = /---(Output|Error) truncated-+/;

/** SSM Run Command. */
export const ssmRunCommand = (client: SSMClient): RunCommand => ({
  nodes: async (filter) => {
    const Filters =
      'instanceIds' in filter
        ? [{ Key: 'InstanceIds', Values: [...filter.instanceIds] }]
        : Object.entries(filter.tags).map(([key, value]) => ({ Key: `tag:${key}`, Values: [value] }));
    const found: ManagedNode[] = [];
    for await (const page of paginateDescribeInstanceInformation({ client }, { Filters }))
      found.push(...(page.InstanceInformationList ?? []).map(managedNode));
    return found;
  },
  send: async (command, token) => {
    try {
      const { Command } = await client.send(
        new SendCommandCommand({
          DocumentName: command.document,
          InstanceIds: command.instanceIds,
          Parameters: {
            ...Object.fromEntries(Object.entries(command.parameters).map(([name, value]) => [name, [value]])),
            ExecutionTimeout: [String(command.executionTimeoutSeconds)],
          },
          TimeoutSeconds: deliveryTimeoutSeconds,
          // One node's failure is the phase's to judge: the others are told by the undoing, not by SSM.
          MaxErrors: '100%',
          Comment: token,
        }),
      );
      return Command?.CommandId ?? '';
    } catch (error) {
      if (error instanceof InvalidInstanceId)
        throw new NodeUnreachableError(
          `${command.id}: SSM does not accept ${command.instanceIds.join(', ')}: ${error.message || 'not a managed, running instance'}. Look at the nodes' SSM agent, instance profile and state.`,
        );
      throw error;
    }
  },
  find: async (document, token, since) => {
    const Filters = [
      { key: 'InvokedAfter' as const, value: `${since.toISOString().slice(0, 19)}Z` },
      { key: 'DocumentName' as const, value: document },
    ];
    for await (const page of paginateListCommands({ client }, { Filters }))
      for (const { CommandId, Comment } of page.Commands ?? []) if (Comment === token && CommandId) return CommandId;
    return undefined;
  },
  invocations: async (CommandId) => {
    const found = [];
    for await (const page of paginateListCommandInvocations({ client }, { CommandId, Details: true })) {
      for (const { InstanceId, Status, StatusDetails, CommandPlugins } of page.CommandInvocations ?? []) {
        const status = InvocationStatus.safeParse(Status);
        if (InstanceId === undefined || !status.success) continue;
        const plugin = CommandPlugins?.[0];
        const output = plugin?.Output ?? '';
        const base = { instanceId: InstanceId, status: status.data, detail: StatusDetails ?? '' };
        const quiet =
          status.data === 'Success' && !truncationMark.test(output) && !output.includes('----------ERROR-------');
        if (quiet || !['Success', 'Failed', 'TimedOut', 'Cancelled'].includes(status.data)) {
          found.push({ ...base, exitCode: plugin?.ResponseCode ?? -1, stdout: output, stderr: '' });
          continue;
        }
        // The listing mixes and cuts the outputs; this call keeps them apart and gives 24,000 characters.
        const whole = await client.send(new GetCommandInvocationCommand({ CommandId, InstanceId }));
        found.push({
          ...base,
          exitCode: whole.ResponseCode ?? -1,
          stdout: whole.StandardOutputContent ?? '',
          stderr: whole.StandardErrorContent ?? '',
        });
      }
    }
    return found;
  },
  cancel: async (CommandId) => {
    await client.send(new CancelCommandCommand({ CommandId }));
  },
});
