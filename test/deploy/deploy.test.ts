import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  ListStateMachinesCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { s3Bucket } from '#aws/bucket';
import { composeDocuments } from '#documents/compose';
import { Manifest, uploadsOf } from '#domain/manifest';
import {
  manifestKey,
  parseArn,
  stateBucketName,
  stateKeys,
  ticketKey,
  vaultBucketName,
  vaultKeys,
} from '#domain/naming';
import { createPuppetNode, startServices } from '#local/lab/layer';
import { LAB_DIRECTORY, type LabNode, ownAddress, writeAwsConfig } from '#local/lab/node';
import { pe32 } from '#local/lab/pe32/product';
import { servicesOf } from '#local/lab/product';
import { createKms } from '#local/runtime/kms';
import { startSsm } from '#local/ssm/index';
import { type Emulator, startEmulator } from './emulator.ts';

const instanceId = 'i-0123456789abcdef0';
const directory = join(LAB_DIRECTORY, 'deploy', String(process.pid));
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const region = 'us-east-1';

const configuration = `
systems:
  pe-main:
    kind: puppet-enterprise
    consistency: quiesced
    nodes:
      - instance: ${instanceId}
        roles: [master, puppetdb, console]
    schedules: [nightly]
schedules:
  nightly: { cron: 30 1 * * *, timezone: Europe/Berlin }
`;

let emulator: Emulator;
let node: LabNode;
let ssm: Awaited<ReturnType<typeof startSsm>>;
const keys = createKms({ macKeys: [manifestKey], signingKeys: [ticketKey] });
const kms = createServer(keys.handle);
let s3: S3Client;
let sfn: SFNClient;

beforeAll(async () => {
  node = await createPuppetNode({
    name: `deploy-${process.pid}`,
    address: ownAddress(90),
    instanceId,
    tags: { 'holdfast:system': 'pe-main' },
  });
  const documents = Object.entries(composeDocuments(keys.publicKey(ticketKey))).map(([name, content]) => [
    name,
    JSON.stringify(content),
  ]);
  ssm = await startSsm({
    instances: () => [node],
    documents: Object.fromEntries(documents),
    region,
    account: '000000000000',
  });
  const file = `${directory}.yaml`;
  await new Promise<void>((resolve) => kms.listen(0, '127.0.0.1', resolve));
  const address = kms.address();
  const kmsUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  emulator = await startEmulator(directory, { runCommand: ssm.url, kms: kmsUrl }, file);
  await writeFile(file, configuration);
  await writeAwsConfig(node, { endpointUrl: emulator.url, region, ...credentials });
  await startServices(node, servicesOf(pe32, ['master', 'puppetdb', 'console']));
  node.online = true;
  s3 = new S3Client({ endpoint: emulator.url, region, credentials, forcePathStyle: true });
  sfn = new SFNClient({ endpoint: emulator.url, region, credentials });
  await emulator.cdk('bootstrap', 'aws://000000000000/us-east-1');
  // The emulator knows no AWS::SSM::Document, whose stand-in for Run Command has the very documents, and no alarm on several metrics.
  const stacks = ['vault', 'control', 'schedules'].map((name) => `holdfast-${name}`);
  await emulator.cdk('deploy', ...stacks, '--exclusively', '--require-approval', 'never');
});

afterAll(async () => {
  s3?.destroy();
  sfn?.destroy();
  await emulator?.close();
  await rm(`${directory}.yaml`, { force: true });
  await ssm?.close();
  kms.close();
  await node?.destroy();
});

const backUp = async (input: object) => {
  const { stateMachines } = await sfn.send(new ListStateMachinesCommand({}));
  const stateMachineArn = stateMachines?.find(({ name }) => name === 'holdfast-backup')?.stateMachineArn;
  const { executionArn } = await sfn.send(new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }));
  for (;;) {
    const execution = await sfn.send(new DescribeExecutionCommand({ executionArn }));
    if (execution.status !== 'RUNNING') return execution;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
};

describe('the deployed stacks', () => {
  it('have the schedule and its dead-letter queue', async () => {
    const { stdout } = await promisify(execFile)(
      fileURLToPath(new URL('../../.local/venv/bin/aws', import.meta.url)),
      ['scheduler', 'get-schedule', '--group-name', 'holdfast', '--name', 'pe-main.nightly'],
      {
        env: {
          AWS_ENDPOINT_URL: emulator.url,
          AWS_DEFAULT_REGION: region,
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        },
      },
    );
    expect(JSON.parse(stdout)).toMatchObject({
      // The emulator's CloudFormation drops the time zone; the tests of the templates have it.
      ScheduleExpression: 'cron(30 1 * * ? *)',
      State: 'ENABLED',
      Target: {
        Arn: expect.stringMatching(/stateMachine:holdfast-backup$/),
        DeadLetterConfig: { Arn: expect.stringMatching(/holdfast-undelivered$/) },
      },
    });
  });

  it('back up a node through the deployed lambdas and state machines', async () => {
    const { status, cause, output, executionArn } = await backUp({ system: 'pe-main' });
    expect([status, cause]).toEqual(['SUCCEEDED', undefined]);
    const { account } = parseArn(executionArn ?? '');
    const vault = s3Bucket(s3, vaultBucketName(account, region));
    const key = vaultKeys.manifest('pe-main', JSON.parse(output ?? '{}').backup);
    const manifest = Manifest.parse(JSON.parse((await vault.read(key))?.text ?? '{}'));
    expect(manifest.artifacts.length).toBeGreaterThan(6);
    for (const { collected } of manifest.artifacts)
      for (const upload of uploadsOf(collected)) {
        expect((await vault.versions(upload.key))[0]?.bytes).toBe(upload.bytes);
        expect(await vault.tags(upload)).toEqual({ 'holdfast:retention': 'keep' });
      }
    expect(await vault.tags({ key })).toEqual({ 'holdfast:retention': 'keep' });
    expect(await s3Bucket(s3, stateBucketName(account, region)).read(stateKeys.lock('pe-main'))).toBeUndefined();
    expect((await node.exec('service pe-puppetdb status && ls -A /var/lib/holdfast/stopped')).stdout).not.toMatch(
      /stopped/,
    );
  });

  it('undo a backup that fails, and say why', async () => {
    await node.exec('service pe-httpd stop; service pe-puppetdb stop; service pe-postgresql stop');
    const { status, cause } = await backUp({ system: 'pe-main' });
    await node.exec('service pe-postgresql start; service pe-puppetdb start; service pe-httpd start');
    expect(status).toBe('FAILED');
    expect(cause).toMatch(/PostgresDownError: PostgreSQL does not answer/);
    const state = s3Bucket(s3, stateBucketName('000000000000', region));
    expect(await state.read(stateKeys.lock('pe-main'))).toBeUndefined();
  });

  it('refuse a system that the deployed configuration does not have', async () => {
    // The emulator loses the error's name, not its message.
    expect(await backUp({ system: 'pe-other' })).toMatchObject({
      status: 'FAILED',
      cause: expect.stringContaining('no system pe-other'),
    });
  });
});
