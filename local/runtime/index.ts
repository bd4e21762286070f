import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, PutBucketPolicyCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { Cron } from 'croner';
import * as z from 'zod';
import { s3Client, sfnClient } from '#aws/clients';
import { composeDocuments } from '#documents/compose';
import type { Config } from '#domain/config';
import { endedUncaught } from '#domain/events';
import {
  functionName,
  manifestKey,
  stateBucketName,
  stateMachineName,
  ticketKey,
  undoneMachines,
  vaultBucketName,
} from '#domain/naming';
import { contractOf, type Verb, verbNames } from '#lambdas/verbs';
import { type AgentControl, type Clock, type ManagedInstance, startSsm } from '../ssm/index.ts';
import { type ExecutionStatusChange, startStepFunctions } from '../stepfunctions/index.ts';
import { type ColdStorage, createColdStorage } from './cold-storage.ts';
import { startGateway } from './gateway.ts';
import { createKms } from './kms.ts';
import { localMachines } from './machines.ts';
import { judgeNodes, type NodeAccount, statePolicy, vaultPolicy } from './node-policy.ts';
import { createNotices, type LocalNotices } from './notices.ts';
import { startS3 } from './s3.ts';
import type { S3Request, Verdict } from './s3-request.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { keepSchedules } from './schedules.ts';
import { controlEnvironment, demandToken } from './session.ts';

export const account = '000000000000';
export const region = 'us-east-1';

export interface RuntimeOptions {
  readonly config: Config;
  readonly directory: string;
  readonly instances: () => readonly ManagedInstance[];
  /** The accounts that the nodes' AWS CLI uses. */
  readonly accounts: readonly NodeAccount[];
  readonly port?: number;
  /** Refuses or cuts off requests to S3, for tests of what happens then. */
  readonly judge?: (request: S3Request) => Verdict;
  /** Throws in place of a lambda, for tests of what AWS itself may answer. */
  readonly disturb?: (verb: Verb) => void;
  /** The cloud of a Juju system, once it is there. */
  readonly cloud?: () => string | undefined;
  /** Run Command's time, for tests of its time-outs. */
  readonly clock?: Clock;
  readonly onStatusChange?: (change: ExecutionStatusChange) => void;
  /** How long every Wait state takes, for tests; otherwise it takes what it says. */
  readonly pollMilliseconds?: number;
}

/** Holdfast without an AWS account: the same machines, handlers, documents and API calls, on loopback. */
export interface Runtime {
  readonly url: string;
  /** The S3 server without the gateway before it. */
  readonly s3Url: string;
  readonly vaultBucket: string;
  /** Where the S3 server keeps the vault's objects, for tests that damage them. */
  readonly vaultDirectory: string;
  readonly stateBucket: string;
  stateMachineArn(name: string): string;
  /** The SSM agent of a node, for tests of what it does when it or its node dies. */
  agent(instanceId: string): AgentControl;
  /** What was deployed of each document, by its name. */
  readonly documents: Readonly<Record<string, object>>;
  /** Deploys a document again, so that whoever names no version of it sends this one. */
  updateDocument(name: string, content: object): void;
  /** Calls a lambda as another service would. */
  invoke(verb: Verb, payload: unknown): Promise<unknown>;
  /** The schedules of the configuration by their names. */
  readonly scheduleStates: Scheduler['states'];
  /** Of the vault. */
  readonly coldStorage: ColdStorage;
  /** What was told of the ends of runs. */
  readonly notices: Pick<LocalNotices, 'events' | 'mails'>;
  /** From now on the schedules of a configuration start backups, unless they are disabled. */
  keepSchedules(config: Config): void;
  close(): Promise<void>;
}

const lambdaContext = (name: string) => ({
  functionName: name,
  functionVersion: '$LATEST',
  invokedFunctionArn: name,
  memoryLimitInMB: '512',
  awsRequestId: randomUUID(),
  logGroupName: name,
  logStreamName: name,
  callbackWaitsForEmptyEventLoop: false,
  getRemainingTimeInMillis: () => 300_000,
  done: () => undefined,
  fail: () => undefined,
  succeed: () => undefined,
});

/** Runs a verb's handler in this process, and holds its answer against the verb's row. Handlers read their environment when they are first imported. */
const invokeVerb = async (verb: Verb, payload: unknown): Promise<unknown> => {
  const { handler } = await import(`../../lambdas/${verb}/handler.ts`);
  // What it answers travels as JSON, and holds what its row promises.
  const answer: unknown = JSON.parse(
    JSON.stringify((await handler(structuredClone(payload), lambdaContext(functionName(verb)))) ?? null),
  );
  const checked = contractOf(verb).output.safeParse(answer);
  if (!checked.success)
    throw new Error(`${verb} does not answer what lambdas/verbs.ts says: ${z.prettifyError(checked.error)}`);
  return answer;
};

const verbOf = (arn: string): Verb => {
  const verb = verbNames.find((candidate) => arn.split(':').at(-1) === functionName(candidate));
  if (!verb) throw new Error(`no lambda ${arn}`);
  return verb;
};

/** Starts everything. One runtime per process: the lambdas find it through the process's environment. */
export const startRuntime = async (options: RuntimeOptions): Promise<Runtime> => {
  const vaultBucket = vaultBucketName(account, region);
  const stateBucket = stateBucketName(account, region);
  await mkdir(options.directory, { recursive: true });
  const configFile = join(options.directory, 'holdfast.json');
  await writeFile(configFile, JSON.stringify(options.config));

  const s3 = await startS3(join(options.directory, 's3'), options.accounts);
  const kms = createKms({ macKeys: [manifestKey], signingKeys: [ticketKey] });
  const contents = composeDocuments(kms.publicKey(ticketKey));
  const documents = Object.fromEntries(
    Object.entries(contents).map(([name, content]) => [name, JSON.stringify(content)]),
  );
  const ssm = await startSsm({
    instances: options.instances,
    documents,
    region,
    account,
    admit: demandToken,
    ...(options.clock && { clock: options.clock }),
  });
  const stepFunctions = await startStepFunctions({
    machines: localMachines(region, account),
    admit: demandToken,
    invoke: async (arn, payload) => {
      const verb = verbOf(arn);
      options.disturb?.(verb);
      return invokeVerb(verb, payload);
    },
    region,
    account,
    pollMilliseconds: options.pollMilliseconds,
    onStatusChange: (change) => {
      options.onStatusChange?.(change);
      // The rules of EventBridge: an execution that ran no Catch is undone from here.
      if (
        endedUncaught(change) &&
        undoneMachines.some(
          (machine) => change.stateMachineArn === stepFunctions.stateMachineArn(stateMachineName(machine)),
        )
      )
        void start('undo', { run: change.name });
      // The other rule: the end of a run is told.
      if (change.status !== 'RUNNING') void invokeVerb('tell-end', { detail: change }).catch(() => undefined);
    },
  });
  const scheduler = createScheduler(options.config, region, account);
  const coldStorage = createColdStorage(vaultBucket);
  const notices = createNotices();
  const s3Itself = s3Client({ endpoint: s3.url, region });
  const judgeNode = judgeNodes(s3Itself, { vault: vaultBucket, state: stateBucket, account, region }, options.accounts);
  const gateway = await startGateway({
    services: { stepFunctions: stepFunctions.url, runCommand: ssm.url, s3: s3.url },
    ...(options.port !== undefined && { port: options.port }),
    judge: async (request) => {
      const verdict = options.judge?.(request) ?? 'pass';
      return verdict === 'pass' ? judgeNode(request) : verdict;
    },
    scheduler: scheduler.handle,
    notices: notices.handle,
    kms: kms.handle,
    coldStorage,
    ...(options.cloud && { cloud: options.cloud }),
  });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: gateway.url,
    AWS_REGION: region,
    ...controlEnvironment,
    VAULT_BUCKET: vaultBucket,
    STATE_BUCKET: stateBucket,
    TOPIC_ARN: `arn:aws:sns:${region}:${account}:holdfast`,
    HOLDFAST_CONFIG: configFile,
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
  });
  const client = s3Client();
  await client.send(new CreateBucketCommand({ Bucket: vaultBucket }));
  await client.send(
    new PutBucketVersioningCommand({ Bucket: vaultBucket, VersioningConfiguration: { Status: 'Enabled' } }),
  );
  await client.send(new CreateBucketCommand({ Bucket: stateBucket }));
  if (options.accounts.length > 0)
    for (const [Bucket, policyOf] of [[vaultBucket, vaultPolicy] as const, [stateBucket, statePolicy] as const])
      await client.send(
        new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policyOf(Bucket, options.accounts)) }),
      );

  const executions = sfnClient();
  const start = async (machine: 'backup' | 'undo' | 'verify', input: unknown): Promise<void> => {
    await executions.send(
      new StartExecutionCommand({
        stateMachineArn: stepFunctions.stateMachineArn(stateMachineName(machine)),
        input: JSON.stringify(input),
      }),
    );
  };
  const kept: (() => void)[] = [];

  return {
    url: gateway.url,
    s3Url: s3.url,
    vaultBucket,
    vaultDirectory: join(options.directory, 's3', 'data', vaultBucket),
    stateBucket,
    stateMachineArn: stepFunctions.stateMachineArn,
    agent: ssm.agent,
    documents: contents,
    updateDocument: (name, content) => ssm.updateDocument(name, JSON.stringify(content)),
    invoke: invokeVerb,
    scheduleStates: scheduler.states,
    coldStorage,
    notices,
    keepSchedules: (config) => {
      const isPaused = (name: string): boolean => scheduler.states()[name] === 'DISABLED';
      kept.push(keepSchedules(config, isPaused, (tick) => void start('backup', tick)));
      // As a deployment has them: a verification a month of each system, the janitor once a day.
      const monthly = new Cron('0 12 1 * *', { timezone: 'UTC' }, () => {
        for (const system of Object.keys(config.systems)) void start('verify', { system });
      });
      const daily = new Cron('15 13 * * *', { timezone: 'UTC' }, () => void invokeVerb('janitor', {}));
      const measured = new Cron('*/15 * * * *', { timezone: 'UTC' }, () => void invokeVerb('measure-age', {}));
      void measured.trigger();
      kept.push(
        () => measured.stop(),
        () => monthly.stop(),
        () => daily.stop(),
      );
    },
    close: async () => {
      for (const stop of kept) stop();
      executions.destroy();
      client.destroy();
      s3Itself.destroy();
      await stepFunctions.close();
      await ssm.close();
      await gateway.close();
      await s3.close();
    },
  };
};
