import {
  CancelCommandCommand,
  DescribeDocumentCommand,
  GetCommandInvocationCommand,
  type GetCommandInvocationResult,
  type InstanceInformation,
  InvalidDocument,
  InvalidDocumentVersion,
  InvalidInstanceId,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  paginateDescribeInstanceInformation,
  paginateListCommandInvocations,
  paginateListCommands,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { DocumentChangedError, NodeUnreachableError } from '#domain/errors';
import { type Invocation, InvocationStatus } from '#domain/phase';
import { deliverySeconds, PinnedDocument, timeoutParameter } from '#domain/plan';
import type { ManagedNode, RunCommand } from '#domain/ports';

const managedNode = ({ InstanceId, ComputerName, PingStatus, AgentVersion }: InstanceInformation): ManagedNode => ({
  instanceId: InstanceId ?? '',
  name: ComputerName || InstanceId || '',
  online: PingStatus === 'Online',
  ...(AgentVersion !== undefined && { agent: AgentVersion }),
});

/** Nodes of each kind of failure that are told of a command on thousands. */
const failuresTold = 20;

/**
 * What a node said, with the two outputs apart. What the agent itself has to say, of a worker that died say, is only in the
 * listing.
 */
const said = (
  { ResponseCode, StandardOutputContent = '', StandardErrorContent = '' }: GetCommandInvocationResult,
  listed: string | undefined,
): Pick<Invocation, 'exitCode' | 'stdout' | 'stderr'> => ({
  exitCode: ResponseCode ?? -1,
  stdout: StandardOutputContent,
  stderr: StandardOutputContent === '' && StandardErrorContent === '' ? (listed ?? '') : StandardErrorContent,
});

/** How ListCommandInvocations marks that it gives only the first 2,500 characters of an output. */
const truncationMark = /---(Output|Error) truncated-+/;

/** SSM Run Command. */
export const ssmRunCommand = (client: SSMClient): RunCommand => ({
  nodes: async ({ instanceIds, tags = {}, enough = Number.POSITIVE_INFINITY }) => {
    const Filters = [
      ...(instanceIds ? [{ Key: 'InstanceIds', Values: [...instanceIds] }] : []),
      ...Object.entries(tags).map(([key, value]) => ({ Key: `tag:${key}`, Values: [value] })),
    ];
    const found: ManagedNode[] = [];
    for await (const page of paginateDescribeInstanceInformation({ client }, { Filters })) {
      found.push(...(page.InstanceInformationList ?? []).map(managedNode));
      if (found.filter(({ online }) => online).length >= enough) break;
    }
    return found;
  },
  document: async (Name) => {
    const { Document } = await client.send(new DescribeDocumentCommand({ Name }));
    return PinnedDocument.parse({
      version: Document?.DocumentVersion,
      sha256: Document?.HashType === 'Sha256' ? Document.Hash : undefined,
    });
  },
  send: async (command, { version, sha256 }, token) => {
    try {
      const { Command } = await client.send(
        new SendCommandCommand({
          DocumentName: command.document,
          ...{ DocumentVersion: version, DocumentHash: sha256, DocumentHashType: 'Sha256' },
          ...(command.tags
            ? { Targets: Object.entries(command.tags).map(([key, value]) => ({ Key: `tag:${key}`, Values: [value] })) }
            : { InstanceIds: command.instanceIds }),
          Parameters: Object.fromEntries(
            Object.entries({ ...command.parameters, ...timeoutParameter(command) }).map(([name, value]) => [
              name,
              [value],
            ]),
          ),
          TimeoutSeconds: deliverySeconds(command),
          // Without a rollout one node's failure is the phase's to judge: the others are told by the undoing, not by SSM.
          MaxErrors: command.rollout?.maxErrors ?? '100%',
          ...(command.rollout && { MaxConcurrency: command.rollout.maxConcurrency }),
          Comment: token,
        }),
      );
      return Command?.CommandId ?? '';
    } catch (error) {
      if (error instanceof InvalidInstanceId)
        throw new NodeUnreachableError(
          `${command.id}: SSM does not accept ${command.instanceIds.join(', ')}: ${error.message || 'not a managed, running instance'}. Look at the nodes' SSM agent, instance profile and state.`,
        );
      if (error instanceof InvalidDocument || error instanceof InvalidDocumentVersion)
        throw new DocumentChangedError(
          `${command.id}: SSM has no version ${version} of ${command.document} with the SHA-256 ${sha256} any more (${error.name}: ${error.message}). Look who has changed it, then start the operation again.`,
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
        found.push({ ...base, ...said(whole, output) });
      }
    }
    return found;
  },
  progress: async (CommandId) => {
    const { Commands } = await client.send(new ListCommandsCommand({ CommandId }));
    const found = Commands?.[0];
    return (
      found && {
        status: found.Status ?? '',
        nodes: found.TargetCount ?? 0,
        completed: found.CompletedCount ?? 0,
        failed: found.ErrorCount ?? 0,
        unreached: found.DeliveryTimedOutCount ?? 0,
      }
    );
  },
  failures: async (CommandId) => {
    const found: Invocation[] = [];
    for (const value of ['Failed', 'TimedOut', 'Cancelled']) {
      const { CommandInvocations } = await client.send(
        new ListCommandInvocationsCommand({
          CommandId,
          Filters: [{ key: 'Status', value }],
          Details: true,
          MaxResults: failuresTold,
        }),
      );
      for (const { InstanceId, Status, StatusDetails, CommandPlugins } of CommandInvocations ?? []) {
        const status = InvocationStatus.safeParse(Status);
        if (InstanceId === undefined || !status.success) continue;
        const base = { instanceId: InstanceId, status: status.data, detail: StatusDetails ?? '' };
        const whole =
          status.data === 'Cancelled'
            ? {}
            : await client.send(new GetCommandInvocationCommand({ CommandId, InstanceId }));
        found.push({ ...base, ...said(whole, CommandPlugins?.[0]?.Output) });
      }
    }
    return found;
  },
  cancel: async (CommandId) => {
    await client.send(new CancelCommandCommand({ CommandId }));
  },
});
