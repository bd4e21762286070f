import {
  CancelCommandCommand,
  type CommandInvocation,
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
  type SendCommandCommandInput,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { DocumentChangedError, NodeUnreachableError } from '#domain/errors';
import { hasEnded, type Invocation, InvocationStatus } from '#domain/phase';
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

/** The nodes that SSM knows, by id and tags; some of them when so many that are online are enough. */
const listNodes = async (
  client: SSMClient,
  { instanceIds, tags = {}, enough = Number.POSITIVE_INFINITY }: Parameters<RunCommand['nodes']>[0],
): Promise<ManagedNode[]> => {
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
};

type Sent = Parameters<RunCommand['send']>;

const requestOf = ([command, { version, sha256 }, token]: Sent): SendCommandCommandInput => ({
  DocumentName: command.document,
  ...{ DocumentVersion: version, DocumentHash: sha256, DocumentHashType: 'Sha256' },
  ...(command.tags
    ? { Targets: Object.entries(command.tags).map(([key, value]) => ({ Key: `tag:${key}`, Values: [value] })) }
    : { InstanceIds: command.instanceIds }),
  Parameters: Object.fromEntries(
    Object.entries({ ...command.parameters, ...timeoutParameter(command) }).map(([name, value]) => [name, [value]]),
  ),
  TimeoutSeconds: deliverySeconds(command),
  // Without a rollout one node's failure is the phase's to judge: the others are told by the undo, not by SSM.
  MaxErrors: command.rollout?.maxErrors ?? '100%',
  ...(command.rollout && { MaxConcurrency: command.rollout.maxConcurrency }),
  Comment: token,
});

/** Why SSM did not take a command, in our words. */
const refusalOf = ([command, { version, sha256 }]: Sent, error: unknown): unknown => {
  if (error instanceof InvalidInstanceId)
    return new NodeUnreachableError(
      `${command.id}: SSM does not accept ${command.instanceIds.join(', ')}: ${error.message || 'not a managed, running instance'}. Look at the nodes' state, SSM agent and instance profile.`,
    );
  if (error instanceof InvalidDocument || error instanceof InvalidDocumentVersion)
    return new DocumentChangedError(
      `${command.id}: SSM has no version ${version} of ${command.document} with the SHA-256 ${sha256} any more (${error.name}: ${error.message}). Find out who changed it, then start the operation again.`,
    );
  return error;
};

/** What a listing says of one invocation; undefined where SSM has given it a status that is not documented. */
const listed = ({ InstanceId, Status, StatusDetails, CommandPlugins }: CommandInvocation) => {
  const status = InvocationStatus.safeParse(Status);
  if (InstanceId === undefined || !status.success) return undefined;
  return {
    base: { instanceId: InstanceId, status: status.data, detail: StatusDetails ?? '' },
    exitCode: CommandPlugins?.[0]?.ResponseCode ?? -1,
    output: CommandPlugins?.[0]?.Output,
  };
};

/** The listing mixes and cuts the outputs; this call keeps them apart and gives 24,000 characters. */
const inWhole = (client: SSMClient, CommandId: string, InstanceId: string) =>
  client.send(new GetCommandInvocationCommand({ CommandId, InstanceId }));

/** True for an output that the listing has given whole, and that is of one of the two alone. */
const isWhole = (output: string): boolean => !truncationMark.test(output) && !output.includes('----------ERROR-------');

const invocationOf = async (
  client: SSMClient,
  commandId: string,
  one: CommandInvocation,
): Promise<Invocation | undefined> => {
  const found = listed(one);
  if (!found) return undefined;
  const { base, exitCode, output = '' } = found;
  if (!hasEnded(base) || (base.status === 'Success' && isWhole(output)))
    return { ...base, exitCode, stdout: output, stderr: '' };
  return { ...base, ...said(await inWhole(client, commandId, base.instanceId), output) };
};

const listInvocations = async (client: SSMClient, CommandId: string): Promise<Invocation[]> => {
  const found: Invocation[] = [];
  for await (const page of paginateListCommandInvocations({ client }, { CommandId, Details: true }))
    for (const one of page.CommandInvocations ?? []) {
      const invocation = await invocationOf(client, CommandId, one);
      if (invocation) found.push(invocation);
    }
  return found;
};

const failureOf = async (
  client: SSMClient,
  commandId: string,
  one: CommandInvocation,
): Promise<Invocation | undefined> => {
  const found = listed(one);
  if (!found) return undefined;
  const { base, output } = found;
  return {
    ...base,
    ...said(base.status === 'Cancelled' ? {} : await inWhole(client, commandId, base.instanceId), output),
  };
};

const listFailures = async (client: SSMClient, CommandId: string): Promise<Invocation[]> => {
  const found: Invocation[] = [];
  for (const value of ['Failed', 'TimedOut', 'Cancelled']) {
    const { CommandInvocations = [] } = await client.send(
      new ListCommandInvocationsCommand({
        CommandId,
        Filters: [{ key: 'Status', value }],
        Details: true,
        MaxResults: failuresTold,
      }),
    );
    for (const one of CommandInvocations) {
      const failure = await failureOf(client, CommandId, one);
      if (failure) found.push(failure);
    }
  }
  return found;
};

/** SSM Run Command. */
export const ssmRunCommand = (client: SSMClient): RunCommand => ({
  nodes: (query) => listNodes(client, query),
  document: async (Name) => {
    const { Document } = await client.send(new DescribeDocumentCommand({ Name }));
    return PinnedDocument.parse({
      version: Document?.DocumentVersion,
      sha256: Document?.HashType === 'Sha256' ? Document.Hash : undefined,
    });
  },
  send: async (...sent) => {
    try {
      const { Command } = await client.send(new SendCommandCommand(requestOf(sent)));
      return Command?.CommandId ?? '';
    } catch (error) {
      throw refusalOf(sent, error);
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
  invocations: (commandId) => listInvocations(client, commandId),
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
  failures: (commandId) => listFailures(client, commandId),
  cancel: async (CommandId) => {
    await client.send(new CancelCommandCommand({ CommandId }));
  },
});
