import type { Document } from './document.ts';
import type { ManagedInstance } from './instance.ts';
import { type Command, type Invocation, isError, isOver } from './run-command.ts';
import { pluginOutput } from './script.ts';

/** JSON 1.1 writes times as seconds since the epoch. */
const epochSeconds = (milliseconds: number | undefined) =>
  milliseconds === undefined ? undefined : milliseconds / 1000;

export const commandResponse = (command: Command, region: string) => {
  const { request, invocations } = command;
  return {
    CommandId: command.id,
    DocumentName: command.document.name,
    DocumentVersion: request.DocumentVersion,
    Comment: request.Comment,
    ExpiresAfter: epochSeconds(command.expiresAt),
    Parameters: command.parameters,
    InstanceIds: request.InstanceIds,
    Targets: request.Targets,
    RequestedDateTime: epochSeconds(command.requestedAt),
    ...commandStatus(command),
    OutputS3Region: region,
    OutputS3BucketName: request.OutputS3BucketName,
    OutputS3KeyPrefix: request.OutputS3KeyPrefix,
    MaxConcurrency: request.MaxConcurrency,
    MaxErrors: request.MaxErrors,
    TargetCount: invocations.length,
    CompletedCount: invocations.filter(isOver).length,
    ErrorCount: invocations.filter(isError).length,
    DeliveryTimedOutCount: count(invocations, 'DeliveryTimedOut'),
    CloudWatchOutputConfig: request.CloudWatchOutputConfig,
    TimeoutSeconds: request.TimeoutSeconds,
  };
};

const count = (invocations: readonly Invocation[], details: Invocation['statusDetails']): number =>
  invocations.filter(({ statusDetails }) => statusDetails === details).length;

/** What many invocations amount to. A command whose tags matched nothing is a success on AWS. */
export const commandStatus = (command: Command): { Status: string; StatusDetails: string } => {
  const { invocations, maxErrors, cancelled } = command;
  const both = (status: string) => ({ Status: status, StatusDetails: status });
  if (invocations.length === 0) return { Status: 'Success', StatusDetails: 'NoInstancesInTag' };
  if (!invocations.every(isOver)) {
    if (cancelled) return both('Cancelling');
    return both(invocations.every(({ status }) => status === 'Pending') ? 'Pending' : 'InProgress');
  }
  if (cancelled && count(invocations, 'Cancelled') > 0) return both('Cancelled');
  if (count(invocations, 'ExecutionTimedOut') > maxErrors) {
    return { Status: 'TimedOut', StatusDetails: 'ExecutionTimedOut' };
  }
  if (invocations.filter(isError).length > maxErrors) return both('Failed');
  if (count(invocations, 'DeliveryTimedOut') > maxErrors) {
    return { Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut' };
  }
  const complete = invocations.every(
    ({ status, statusDetails }) => status === 'Success' || statusDetails === 'Undeliverable',
  );
  return complete ? both('Success') : { Status: 'Failed', StatusDetails: 'Incomplete' };
};

export const invocationStatus = ({ status, statusDetails }: Invocation) => ({
  Status: status,
  StatusDetails: statusDetails,
});

/** Nothing of the output is told before the end, and nothing when the report came too late. */
const reported = (invocation: Invocation) => {
  const { report, statusDetails, endedAt } = invocation;
  return report?.statusDetails === statusDetails
    ? { ...report, endedAt }
    : { responseCode: -1, stdout: '', stderr: '', words: undefined, endedAt: undefined };
};

export const invocationResponse = (invocation: Invocation, instance: ManagedInstance | undefined, details: boolean) => {
  const { command } = invocation;
  const report = reported(invocation);
  const plugin = {
    Name: command.document.step,
    ...invocationStatus(invocation),
    ResponseCode: report.responseCode,
    ResponseStartDateTime: epochSeconds(invocation.startedAt),
    ResponseFinishDateTime: epochSeconds(report.endedAt),
    Output: pluginOutput(report),
    StandardOutputUrl: '',
    StandardErrorUrl: '',
  };
  return {
    CommandId: command.id,
    InstanceId: invocation.instanceId,
    InstanceName: instance?.computerName ?? '',
    Comment: command.request.Comment,
    DocumentName: command.document.name,
    DocumentVersion: command.request.DocumentVersion,
    RequestedDateTime: epochSeconds(command.requestedAt),
    ...invocationStatus(invocation),
    StandardOutputUrl: '',
    StandardErrorUrl: '',
    CommandPlugins: details ? [plugin] : [],
    CloudWatchOutputConfig: command.request.CloudWatchOutputConfig,
  };
};

export const commandInvocationResponse = (invocation: Invocation, now: number) => {
  const { command, startedAt } = invocation;
  const report = reported(invocation);
  return {
    CommandId: command.id,
    InstanceId: invocation.instanceId,
    Comment: command.request.Comment,
    DocumentName: command.document.name,
    DocumentVersion: command.request.DocumentVersion,
    PluginName: command.document.step,
    ResponseCode: report.responseCode,
    ExecutionStartDateTime: isoTime(startedAt),
    ExecutionElapsedTime: startedAt === undefined ? '' : isoDuration((report.endedAt ?? now) - startedAt),
    ExecutionEndDateTime: isoTime(report.endedAt),
    ...invocationStatus(invocation),
    StandardOutputContent: report.stdout,
    StandardOutputUrl: '',
    StandardErrorContent: report.stderr,
    StandardErrorUrl: '',
    CloudWatchOutputConfig: command.request.CloudWatchOutputConfig,
  };
};

const isoTime = (milliseconds: number | undefined) =>
  milliseconds === undefined ? '' : new Date(milliseconds).toISOString();

const isoDuration = (milliseconds: number): string => {
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  return `PT${hours ? `${hours}H` : ''}${minutes ? `${minutes}M` : ''}${(milliseconds % 60_000) / 1000}S`;
};

export const instanceResponse = (instance: ManagedInstance, now: number) => ({
  InstanceId: instance.instanceId,
  PingStatus: instance.online ? 'Online' : 'ConnectionLost',
  LastPingDateTime: epochSeconds(now),
  AgentVersion: instance.agentVersion,
  IsLatestVersion: true,
  PlatformType: 'Linux',
  PlatformName: instance.platformName,
  ResourceType: 'EC2Instance',
  IPAddress: instance.ipAddress,
  ComputerName: instance.computerName,
});

const documentResponse = (document: Document) => ({
  Name: document.name,
  DocumentVersion: document.version,
  Status: 'Active',
  DocumentType: 'Command',
  DocumentFormat: 'JSON',
});

export const getDocumentResponse = (document: Document) => ({
  ...documentResponse(document),
  Content: document.content,
});

export const describeDocumentResponse = (document: Document, newest: Document, account: string) => ({
  Document: {
    ...documentResponse(document),
    Description: document.description,
    Owner: account,
    Hash: document.sha256,
    HashType: 'Sha256',
    DefaultVersion: newest.version,
    LatestVersion: newest.version,
    SchemaVersion: '2.2',
    PlatformTypes: ['Linux'],
    Parameters: Object.entries(document.parameters).map(([name, definition]) => ({
      Name: name,
      Type: definition.type === 'StringList' ? 'StringList' : 'String',
      Description: definition.description,
      DefaultValue: definition.default?.join(','),
    })),
  },
});
