import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';

/** How a client reaches AWS; what is left out comes from the environment and the shared configuration files. */
export interface Connection {
  readonly region?: string;
  readonly endpoint?: string;
  readonly profile?: string;
}

/** Calls are few and none is urgent, so throttling is met with patience. */
const patience = { maxAttempts: 6, retryMode: 'adaptive' } as const;

/** Every endpoint but AWS's own serves its buckets below one host name. */
const hasEndpoint = (endpoint: string | undefined): boolean =>
  (endpoint ?? process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL']) !== undefined;

export const s3Client = (connection: Connection = {}): S3Client =>
  new S3Client({ ...patience, ...connection, forcePathStyle: hasEndpoint(connection.endpoint) });

export const ssmClient = (connection: Connection = {}): SSMClient => new SSMClient({ ...patience, ...connection });

export const sfnClient = (connection: Connection = {}): SFNClient => new SFNClient({ ...patience, ...connection });

export const schedulerClient = (connection: Connection = {}): SchedulerClient =>
  new SchedulerClient({ ...patience, ...connection });

export const eventBridgeClient = (connection: Connection = {}): EventBridgeClient =>
  new EventBridgeClient({ ...patience, ...connection });

export const snsClient = (connection: Connection = {}): SNSClient => new SNSClient({ ...patience, ...connection });

/** Every manifest and every command waits for it: a call that gets no answer is repeated after ten seconds, not held until its lambda ends. */
export const kmsClient = (connection: Connection = {}): KMSClient =>
  new KMSClient({
    ...patience,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
    ...connection,
  });

export const stsClient = (connection: Connection = {}): STSClient => new STSClient({ ...patience, ...connection });
