import { S3Client } from '@aws-sdk/client-s3';
import { paginateListStateMachines, SFNClient } from '@aws-sdk/client-sfn';
import { s3Bucket } from '#aws/bucket';
import type { CallerId } from '#aws/caller';
import { kmsSignatures } from '#aws/signatures';
import {
  consoleUrl,
  manifestKey,
  parseArn,
  type StateMachineName,
  stateBucketName,
  stateMachineName,
  vaultBucketName,
} from '#domain/naming';
import type { Bucket } from '#domain/ports';
import { withSignedManifests } from '#domain/vault/signature';
import { CliError } from './cli-error.ts';
import { type Upload, watchUploads } from './uploads.ts';

/** The options of every verb that talks to AWS. Without them the SDK's own chain decides: environment, then profile. */
export interface ConnectionOptions {
  readonly region?: string;
  readonly profile?: string;
  /** The local runtime's one URL; AWS's own endpoints when absent. */
  readonly endpointUrl?: string;
}

/** One deployment of Holdfast, on AWS or local. */
export interface Connection {
  readonly stepFunctions: SFNClient;
  readonly backupMachineArn: string;
  readonly vault: Bucket;
  readonly vaultName: string;
  readonly state: Bucket;
  /** IAM's own name for whoever acts. */
  readonly callerId: CallerId;
  /** What lies below a prefix of the vault, and what is on its way there. */
  readonly uploads: (prefix: string) => Promise<readonly Upload[]>;
  /** The options that make another command talk to the same deployment. */
  readonly options: ConnectionOptions;
}

/**
 * The deployment that the options and the environment name; its account and region are read off its state machine.
 * Throws a CliError when there is none, and the SDK's error when AWS can't be reached or refuses.
 */
export const connect = async (options: ConnectionOptions): Promise<Connection> => {
  const shared = {
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...(options.endpointUrl === undefined ? {} : { endpoint: options.endpointUrl }),
    requestHandler: { connectionTimeout: 5000, requestTimeout: 30_000, throwOnRequestTimeout: true },
  };
  const stepFunctions = new SFNClient(shared);
  const backupMachineArn = await findStateMachine(stepFunctions, stateMachineName('backup'));
  if (backupMachineArn === undefined)
    throw new CliError(
      'connection',
      `Holdfast is not deployed here: ${options.endpointUrl ?? `region ${await stepFunctions.config.region()}`} has no state machine ${stateMachineName('backup')}`,
      'Select the account and region with --profile and --region, or deploy Holdfast.',
    );
  const { account, region } = parseArn(backupMachineArn);
  const local = options.endpointUrl !== undefined;
  const s3 = new S3Client({
    ...shared,
    region,
    // A bucket's name can't be part of a local endpoint's host name.
    forcePathStyle: local,
    // The local S3 server replaces an object and its checksum one after the other, and a watcher reads in between.
    ...(local && { responseChecksumValidation: 'WHEN_REQUIRED' }),
  });
  const vaultName = vaultBucketName(account, region);
  const { holds } = kmsSignatures({ ...shared, region }, manifestKey);
  return {
    stepFunctions,
    backupMachineArn,
    vault: withSignedManifests({ holds }, s3Bucket(s3, vaultName)),
    vaultName,
    state: s3Bucket(s3, stateBucketName(account, region)),
    callerId: async () => (await import('#aws/caller')).stsCallerId({ ...shared, region })(),
    uploads: watchUploads(s3, vaultName),
    options,
  };
};

/** The ARN of another machine of the same deployment. */
export const machineArn = (
  { backupMachineArn }: Pick<Connection, 'backupMachineArn'>,
  machine: StateMachineName,
): string => `${backupMachineArn.slice(0, backupMachineArn.lastIndexOf(':') + 1)}${stateMachineName(machine)}`;

/** The ARN of a run of a machine of the same deployment. */
export const executionArn = (
  connection: Pick<Connection, 'backupMachineArn'>,
  machine: StateMachineName,
  run: string,
): string => `${machineArn(connection, machine).replace(':stateMachine:', ':execution:')}:${run}`;

const findStateMachine = async (client: SFNClient, name: string): Promise<string | undefined> => {
  for await (const { stateMachines = [] } of paginateListStateMachines({ client }, {})) {
    const found = stateMachines.find((machine) => machine.name === name);
    if (found?.stateMachineArn !== undefined) return found.stateMachineArn;
  }
  return undefined;
};

/** Where an execution is seen in the console of AWS; undefined for the local runtime, which has none. */
export const consoleLink = ({ options }: Pick<Connection, 'options'>, executionArn: string): string | undefined =>
  options.endpointUrl === undefined ? consoleUrl(executionArn) : undefined;

/** A command of the AWS CLI or of Holdfast with the options that lead it to the same deployment. */
export const sameConnection = ({ options }: Pick<Connection, 'options'>, command: string): string =>
  [
    command,
    ...(options.region === undefined ? [] : ['--region', options.region]),
    ...(options.profile === undefined ? [] : ['--profile', options.profile]),
    ...(options.endpointUrl === undefined ? [] : ['--endpoint-url', options.endpointUrl]),
  ].join(' ');
