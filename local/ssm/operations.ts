import type { Clock } from './clock.ts';
import type { Documents } from './documents.ts';
import { SsmError } from './errors.ts';
import type { ManagedInstance } from './instance.ts';
import {
  CancelCommand,
  type CommandFilter,
  DescribeInstanceInformation,
  GetCommandInvocation,
  ListCommandInvocations,
  ListCommands,
  NamedDocument,
  parseRequest,
  SendCommand,
} from './requests.ts';
import {
  commandInvocationResponse,
  commandResponse,
  commandStatus,
  describeDocumentResponse,
  getDocumentResponse,
  instanceResponse,
  invocationResponse,
  invocationStatus,
} from './responses.ts';
import { type Command, isOver, type RunCommand } from './run-command.ts';

/** Each operation by its name, from the body of a request to the body of its answer. Throws `SsmError`. */
export const operations = (service: {
  readonly runCommand: RunCommand;
  readonly documents: Documents;
  readonly instances: () => readonly ManagedInstance[];
  readonly region: string;
  readonly account: string;
  readonly clock: Clock;
}) => {
  const { runCommand, documents, instances, region, account, clock } = service;

  const findCommand = (id: string): Command => {
    const command = runCommand.commands.get(id);
    if (command === undefined) throw new SsmError('InvalidCommandId', `No command has the id ${id}.`);
    return command;
  };

  /** Newest first, of one command or of all. */
  const commandsOf = (id: string | undefined): readonly Command[] =>
    id === undefined ? [...runCommand.commands.values()].reverse() : [findCommand(id)];

  const operation = {
    SendCommand(body: unknown) {
      const request = parseRequest(SendCommand, body);
      const document = documents.find(request.DocumentName, request.DocumentVersion);
      if (request.DocumentHash !== undefined && request.DocumentHash !== document.sha256)
        throw new SsmError('InvalidDocument', `The hash of ${document.name} is not ${request.DocumentHash}.`);
      return { Command: commandResponse(runCommand.send(request, document), region) };
    },

    CancelCommand(body: unknown) {
      const request = parseRequest(CancelCommand, body);
      runCommand.cancel(findCommand(request.CommandId), request.InstanceIds);
      return {};
    },

    ListCommands(body: unknown) {
      const request = parseRequest(ListCommands, body);
      const commands = commandsOf(request.CommandId).filter(
        (command) =>
          (request.InstanceId === undefined ||
            command.invocations.some(({ instanceId }) => instanceId === request.InstanceId)) &&
          passes(request.Filters, command, commandStatus(command), command.invocations.every(isOver)),
      );
      const { items, NextToken } = page(commands, request, ({ id }) => id);
      return { Commands: items.map((command) => commandResponse(command, region)), NextToken };
    },

    ListCommandInvocations(body: unknown) {
      const request = parseRequest(ListCommandInvocations, body);
      const known = request.CommandId === undefined || runCommand.commands.has(request.CommandId);
      const invocations = (known ? commandsOf(request.CommandId) : [])
        .flatMap((command) => command.invocations)
        .filter(
          (invocation) =>
            (request.InstanceId === undefined || invocation.instanceId === request.InstanceId) &&
            passes(request.Filters, invocation.command, invocationStatus(invocation), isOver(invocation)) &&
            runCommand.isVisible(invocation),
        );
      const { items, NextToken } = page(
        invocations,
        request,
        ({ command, instanceId }) => `${command.id}/${instanceId}`,
      );
      const names = new Map(instances().map((instance) => [instance.instanceId, instance]));
      return {
        CommandInvocations: items.map((invocation) =>
          invocationResponse(invocation, names.get(invocation.instanceId), request.Details),
        ),
        NextToken,
      };
    },

    GetCommandInvocation(body: unknown) {
      const request = parseRequest(GetCommandInvocation, body);
      const invocation = runCommand.commands
        .get(request.CommandId)
        ?.invocations.find(({ instanceId }) => instanceId === request.InstanceId);
      if (invocation === undefined || !runCommand.isVisible(invocation)) {
        throw new SsmError('InvocationDoesNotExist', 'No such invocation, or not yet.');
      }
      if (request.PluginName !== undefined && request.PluginName !== invocation.command.document.step) {
        throw new SsmError('InvalidPluginName', `The document has no step ${request.PluginName}.`);
      }
      return commandInvocationResponse(invocation, clock.now());
    },

    DescribeInstanceInformation(body: unknown) {
      const request = parseRequest(DescribeInstanceInformation, body);
      const filters = [
        ...request.Filters,
        ...request.InstanceInformationFilterList.map(({ key, valueSet }) => ({ Key: key, Values: valueSet })),
      ];
      const described = instances()
        .map((instance) => ({ tags: instance.tags, ...instanceResponse(instance, clock.now()) }))
        .filter((instance) =>
          filters.every(({ Key, Values }) => values(instance, Key).some((v) => Values.includes(v))),
        );
      const { items, NextToken } = page(described, request, ({ InstanceId }) => InstanceId);
      return { InstanceInformationList: items.map(({ tags, ...instance }) => instance), NextToken };
    },

    GetDocument(body: unknown) {
      const { Name, DocumentVersion } = parseRequest(NamedDocument, body);
      return getDocumentResponse(documents.find(Name, DocumentVersion));
    },

    DescribeDocument(body: unknown) {
      const { Name, DocumentVersion } = parseRequest(NamedDocument, body);
      return describeDocumentResponse(documents.find(Name, DocumentVersion), documents.find(Name, '$LATEST'), account);
    },
  };

  const byName = new Map<string, (body: unknown) => object>(Object.entries(operation));
  return (name: string, body: unknown): object => {
    const run = byName.get(name);
    if (run === undefined) throw new SsmError('UnknownOperationException', `The stand-in has no operation "${name}".`);
    return run(body);
  };
};

const passes = (
  filters: readonly CommandFilter[],
  command: Command,
  { Status, StatusDetails }: { readonly Status: string; readonly StatusDetails: string },
  complete: boolean,
): boolean =>
  filters.every(({ key, value }) => {
    switch (key) {
      case 'InvokedAfter':
        return command.requestedAt > instant(value);
      case 'InvokedBefore':
        return command.requestedAt < instant(value);
      case 'Status':
        return value === Status || value === StatusDetails;
      case 'DocumentName':
        return value === command.document.name;
      case 'ExecutionStage':
        return value === (complete ? 'Complete' : 'Executing');
      default:
        throw key satisfies never;
    }
  });

const instant = (text: string): number => {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) throw new SsmError('InvalidFilterKey', `"${text}" is not a time.`);
  return milliseconds;
};

/** What DescribeInstanceInformation compares with the values of a filter. */
const values = (
  instance: ReturnType<typeof instanceResponse> & Pick<ManagedInstance, 'tags'>,
  key: string,
): readonly string[] => {
  switch (key) {
    case 'InstanceIds':
      return [instance.InstanceId];
    case 'PingStatus':
      return [instance.PingStatus];
    case 'PlatformTypes':
      return [instance.PlatformType];
    case 'AgentVersion':
      return [instance.AgentVersion];
    case 'ResourceType':
      return [instance.ResourceType];
    case 'tag-key':
      return Object.keys(instance.tags);
    default: {
      if (!key.startsWith('tag:')) throw new SsmError('InvalidFilterKey', `There is no filter "${key}".`);
      const value = instance.tags[key.slice('tag:'.length)];
      return value === undefined ? [] : [value];
    }
  }
};

/** The token names the last item that was shown, so that newer commands do not shift the pages. */
const page = <T>(
  all: readonly T[],
  request: { readonly MaxResults: number; readonly NextToken?: string | undefined },
  key: (item: T) => string,
): { items: readonly T[]; NextToken: string | undefined } => {
  const last = request.NextToken === undefined ? undefined : Buffer.from(request.NextToken, 'base64').toString();
  const start = last === undefined ? 0 : all.findIndex((item) => key(item) === last) + 1;
  if (last !== undefined && start === 0) throw new SsmError('InvalidNextToken', 'The token is not valid.');
  const items = all.slice(start, start + request.MaxResults);
  const end = items.at(-1);
  const more = end !== undefined && start + items.length < all.length;
  return { items, NextToken: more ? Buffer.from(key(end)).toString('base64') : undefined };
};
