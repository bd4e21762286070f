import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { s3Bucket } from '#aws/bucket';
import { stsCallerId } from '#aws/caller';
import { eventSchedules } from '#aws/schedules';
import { parseConfig } from '#domain/config-file';
import { readersTag, scheduleGroup, tagKeys } from '#domain/naming';
import { createColdStorage } from '#local/runtime/cold-storage';
import { type Gateway, startGateway } from '#local/runtime/gateway';
import { judgeNodes, type NodeAccount, vaultPolicy } from '#local/runtime/node-policy';
import { startS3 } from '#local/runtime/s3';
import { createScheduler } from '#local/runtime/scheduler';
import { keepSchedules } from '#local/runtime/schedules';
import { controlCredentials, demandToken, type S3Credentials } from '#local/runtime/session';
import { startSsm } from '#local/ssm/index';
import { startStepFunctions } from '#local/stepfunctions/index';

const [region, account, vault] = ['us-east-1', '000000000000', 'vault'];
const config = parseConfig(`
systems:
  pe-main:
    kind: puppet-enterprise
    nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }]
    schedules: [nightly, often]
  pe-staging:
    kind: puppet-enterprise
    nodes: [{ instance: i-0123456789abcdef1, roles: [master, puppetdb, console] }]
    schedules: [often]
schedules:
  nightly: { cron: '0 2 * * *', timezone: Europe/Paris }
  often: { rate: 1 minute }
`);
const instances = { main: 'i-0123456789abcdef0', staging: 'i-0123456789abcdef1', sibling: 'i-0123456789abcdef2' };
type Name = keyof typeof instances;
const arnOf = (name: Name): string => `arn:aws:ec2:${region}:${account}:instance/${instances[name]}`;
const accountOf = (name: Name, system: string): NodeAccount => ({
  ...{ system, accessKeyId: `NODE-${name}`, secretAccessKey: 'node-secret', instanceArn: arnOf(name) },
});
const nodes = [accountOf('main', 'pe-main'), accountOf('staging', 'pe-staging'), accountOf('sibling', 'pe-main')];
const [mainNode = controlCredentials, stagingNode = controlCredentials] = nodes;

const scheduler = createScheduler(config, region, account);
const coldStorage = createColdStorage(vault);
const clients: (S3Client | SchedulerClient)[] = [];
let directory: string;
let s3: Awaited<ReturnType<typeof startS3>>;
let gateway: Gateway;

const as = (credentials: S3Credentials, endpoint = gateway.url): S3Client => {
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  clients.push(client);
  return client;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gateway-'));
  s3 = await startS3(directory, nodes);
  gateway = await startGateway({
    services: { stepFunctions: s3.url, runCommand: s3.url, s3: s3.url },
    judge: judgeNodes(as(controlCredentials, s3.url), { vault, state: 'state', account, region }, nodes),
    scheduler: scheduler.handle,
    coldStorage,
  });
  const control = as(controlCredentials);
  await control.send(new CreateBucketCommand({ Bucket: vault }));
  await control.send(new PutBucketVersioningCommand({ Bucket: vault, VersioningConfiguration: { Status: 'Enabled' } }));
  await control.send(new PutBucketPolicyCommand({ Bucket: vault, Policy: JSON.stringify(vaultPolicy(vault, nodes)) }));
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await gateway.close();
  await s3.close();
  await rm(directory, { recursive: true });
});

describe("a node's account", () => {
  const { key, sibling } = {
    key: `backups/pe-main/20261120T020000Z/${arnOf('main')}/databases/dump`,
    sibling: `backups/pe-main/20261120T020000Z/${arnOf('sibling')}/files/ca`,
  };
  const denied = { name: 'AccessDenied' };
  const bucket = () => s3Bucket(as(controlCredentials), vault);
  const newest = async (Key: string): Promise<string> =>
    (await bucket().versions(Key)).find(({ isLatest }) => isLatest)?.versionId ?? '';
  const read = async (node: S3Credentials, Key = key, VersionId?: string) =>
    as(node).send(new GetObjectCommand({ Bucket: vault, Key, VersionId: VersionId ?? (await newest(Key)) }));
  const write = (node: S3Credentials, Key: string) =>
    as(node).send(new PutObjectCommand({ Bucket: vault, Key, Body: 'rows' }));
  const offer = async (Key: string, ...names: Name[]) =>
    bucket().tag(
      { key: Key, versionId: await newest(Key) },
      { [tagKeys.retention]: 'daily', [tagKeys.restore]: readersTag(names.map(arnOf)) },
    );

  beforeEach(async () => {
    for (const one of [key, sibling]) {
      await as(controlCredentials).send(new PutObjectCommand({ Bucket: vault, Key: one, Body: 'rows' }));
      await bucket().tag({ key: one }, { [tagKeys.retention]: 'daily' });
    }
  });

  it('writes below its own ARN, in whatever backup', async () => {
    await expect(write(mainNode, key)).resolves.toBeDefined();
    await expect(write(mainNode, `backups/pe-main/checks/run/${arnOf('main')}/upload`)).resolves.toBeDefined();
  });

  it.each([
    ['the keys of another node of its system', sibling],
    ['another system', `backups/pe-staging/20261120T020000Z/${arnOf('main')}/dump`],
    ['installers', 'installers/pe-main/pe.tar.gz'],
    ['manifests', 'catalog/pe-main/20261120T020000Z.json'],
    ['what belongs to no node', 'backups/pe-main/upgrades/run/settings'],
    ['a key that only begins like its own', `backups/pe-main/x/${arnOf('main')}0/dump`],
  ])('does not write %s', async (_, other) => {
    await expect(write(mainNode, other)).rejects.toMatchObject(denied);
  });

  it('reads the version that a run has opened to it, and only for as long', async () => {
    await expect(read(mainNode)).rejects.toMatchObject(denied);
    await offer(key, 'main', 'sibling');
    expect(await (await read(mainNode)).Body?.transformToString()).toBe('rows');
    await bucket().tag({ key }, { [tagKeys.retention]: 'daily' });
    await expect(read(mainNode)).rejects.toMatchObject(denied);
  });

  it('does not read what was written over the version that was opened', async () => {
    await offer(key, 'main');
    const opened = await newest(key);
    await write(mainNode, key);
    // A new version has no tags in S3; this server gives it those of the one before.
    await bucket().tag({ key }, {});
    await expect(read(mainNode)).rejects.toMatchObject(denied);
    await expect(read(mainNode, key, opened)).resolves.toBeDefined();
  });

  it('does not read by key alone, whatever the tag', async () => {
    await offer(key, 'main');
    await expect(as(mainNode).send(new GetObjectCommand({ Bucket: vault, Key: key }))).rejects.toMatchObject(denied);
  });

  it('does not read what a restore has opened to another node of its system', async () => {
    await offer(sibling, 'sibling');
    await expect(read(mainNode, sibling)).rejects.toMatchObject(denied);
  });

  it("does not read below another system's prefix, whatever the tag", async () => {
    await offer(key, 'staging');
    await expect(read(stagingNode)).rejects.toMatchObject(denied);
  });

  it('reads an installer that was opened to it', async () => {
    const installer = 'installers/pe-main/pe.tar.gz';
    await as(controlCredentials).send(new PutObjectCommand({ Bucket: vault, Key: installer, Body: 'rows' }));
    await expect(read(mainNode, installer)).rejects.toMatchObject(denied);
    await offer(installer, 'main');
    await expect(read(mainNode, installer)).resolves.toBeDefined();
  });

  it('does not read by copying', async () => {
    const copy = `backups/pe-main/copy/${arnOf('main')}/dump`;
    const copying = async () =>
      as(mainNode).send(
        new CopyObjectCommand({
          Bucket: vault,
          Key: copy,
          CopySource: `${vault}/${encodeURIComponent(key)}?versionId=${await newest(key)}`,
        }),
      );
    await expect(copying()).rejects.toMatchObject(denied);
    await offer(key, 'main');
    await expect(copying()).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
  });

  it('is not told whether an object is there', async () => {
    await expect(read(mainNode, 'backups/pe-main/nothing', 'v')).rejects.toMatchObject(denied);
  });

  it('cannot tag an object itself, delete one or list any', async () => {
    const mine = s3Bucket(as(mainNode), vault);
    await expect(mine.tag({ key }, { [tagKeys.restore]: readersTag([arnOf('main')]) })).rejects.toMatchObject(denied);
    await expect(mine.delete(key)).rejects.toMatchObject(denied);
    await expect(mine.list('backups/')).rejects.toMatchObject(denied);
    await expect(mine.versions('backups/')).rejects.toMatchObject(denied);
  });

  it('asks cold storage for nothing', async () => {
    coldStorage.freeze('backups/pe-main/cold');
    await expect(s3Bucket(as(mainNode), vault).thaw({ key: 'backups/pe-main/cold' }, 1)).rejects.toMatchObject(denied);
    expect(coldStorage.thawed()).not.toContain('backups/pe-main/cold');
  });
});

describe('an object in cold storage', () => {
  const key = 'backups/pe-main/20250101T020000Z/node/dump';

  it('is read only after it was asked for and brought back', async () => {
    const bucket = s3Bucket(as(controlCredentials), vault);
    const look = async () => (await bucket.versions(key))[0];
    await bucket.write(key, 'old rows');
    expect(await look()).not.toHaveProperty('cold');
    coldStorage.freeze(key);
    expect(await look()).toMatchObject({ bytes: 8, cold: 'frozen' });
    await expect(bucket.read(key)).rejects.toMatchObject({ name: 'InvalidObjectState' });
    expect(await bucket.tags({ key })).toEqual({});

    await bucket.thaw({ key }, 7);
    expect(await look()).toMatchObject({ cold: 'thawing' });
    await expect(bucket.read(key)).rejects.toMatchObject({ name: 'InvalidObjectState' });

    coldStorage.finish();
    expect(await look()).not.toHaveProperty('cold');
    expect((await bucket.read(key))?.text).toBe('old rows');
    expect(coldStorage.thawed()).toContain(key);
  });

  it('that is asked for twice is on its way already, which is no error', async () => {
    const twice = `${key}.twice`;
    const bucket = s3Bucket(as(controlCredentials), vault);
    coldStorage.freeze(twice);
    await bucket.thaw({ key: twice }, 7);
    const again = new RestoreObjectCommand({ Bucket: vault, Key: twice, RestoreRequest: { Days: 7 } });
    await expect(as(controlCredentials).send(again)).rejects.toMatchObject({
      name: 'RestoreAlreadyInProgress',
      $metadata: { httpStatusCode: 409 },
    });
    await expect(bucket.thaw({ key: twice }, 7)).resolves.toBeUndefined();
    expect(coldStorage.thawed().filter((asked) => asked === twice)).toHaveLength(1);
  });
});

it('who calls is asked as of STS', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', controlCredentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', controlCredentials.secretAccessKey);
  expect(await stsCallerId({ region, endpoint: gateway.url })()).toBe('AIDALOCALRUNTIME');
  vi.unstubAllEnvs();
});

describe('who does not know the session’s token', () => {
  const services = [
    ['Step Functions', 'states', 'AWSStepFunctions.StartExecution'],
    ['Run Command', 'ssm', 'AmazonSSM.SendCommand'],
    ['KMS', 'kms', 'TrentService.GenerateMac'],
    ['EventBridge', 'events', 'AWSEvents.PutEvents'],
    ['SNS', 'sns', ''],
    ['STS', 'sts', ''],
    ['Scheduler', 'scheduler', ''],
  ] as const;
  const headersOf = (service: string, target: string, key?: string): Record<string, string> => ({
    ...(target !== '' && { 'x-amz-target': target }),
    ...(key !== undefined && {
      authorization: `AWS4-HMAC-SHA256 Credential=${key}/1/${region}/${service}/aws4_request`,
    }),
  });
  const called = async (url: string, headers: Record<string, string>): Promise<string> => {
    const answer = await fetch(url, { method: 'POST', headers, body: '{}' });
    return `${answer.status} ${await answer.text()}`;
  };

  it.each(services)('is refused by %s', async (_, service, target) => {
    for (const key of ['', 'HOLDFASTCONTROL', mainNode.accessKeyId])
      expect(await called(gateway.url, headersOf(service, target, key))).toMatch(/^403 .*UnrecognizedClientException/);
    if (target !== '') expect(await called(gateway.url, headersOf(service, target))).toMatch(/^403 /);
    expect(await called(gateway.url, headersOf(service, target, controlCredentials.accessKeyId))).not.toMatch(
      /Unrecognized/,
    );
  });

  it('is refused by the ports behind the gateway, too', async () => {
    const common = { region, account, admit: demandToken };
    const ssm = await startSsm({ ...common, instances: () => [], documents: {} });
    const machines = await startStepFunctions({ ...common, machines: {}, invoke: async () => null });
    expect(await called(ssm.url, headersOf('ssm', 'AmazonSSM.ListCommands'))).toMatch(/^403/);
    expect(await called(machines.url, headersOf('states', 'AWSStepFunctions.ListStateMachines'))).toMatch(/^403/);
    await ssm.close();
    await machines.close();
  });

  it('is refused by S3, whose secret is of this session as well', async () => {
    const { accessKeyId } = controlCredentials;
    for (const credentials of [
      { accessKeyId, secretAccessKey: 'holdfast-control' },
      { accessKeyId: 'x', secretAccessKey: 'y' },
    ])
      await expect(as(credentials).send(new GetObjectCommand({ Bucket: vault, Key: 'any' }))).rejects.toMatchObject({
        $metadata: { httpStatusCode: 403 },
      });
  });
});

describe('the schedules of the configuration', () => {
  const nightly = 'pe-main.nightly';
  const client = () => {
    const made = new SchedulerClient({
      endpoint: gateway.url,
      region,
      credentials: controlCredentials,
      maxAttempts: 1,
    });
    clients.push(made);
    return made;
  };
  const schedules = (group: string = scheduleGroup) => eventSchedules(client(), group);
  const look = () => client().send(new GetScheduleCommand({ GroupName: scheduleGroup, Name: nightly }));

  it('are all there and enabled', () => {
    expect(scheduler.states()).toEqual({
      [nightly]: 'ENABLED',
      'pe-main.often': 'ENABLED',
      'pe-staging.often': 'ENABLED',
    });
  });

  it('are paused and resumed one by one, and stay what they are', async () => {
    const before = await look();
    expect(before).toMatchObject({
      ScheduleExpression: 'cron(0 2 * * ? *)',
      ScheduleExpressionTimezone: 'Europe/Paris',
      State: 'ENABLED',
    });
    expect(await schedules().isEnabled(nightly)).toBe(true);
    await schedules().pause(nightly);
    await schedules().pause(nightly);
    expect(await schedules().isEnabled(nightly)).toBe(false);
    expect(scheduler.states()).toMatchObject({ [nightly]: 'DISABLED', 'pe-main.often': 'ENABLED' });
    await schedules().resume(nightly);
    expect(scheduler.states()[nightly]).toBe('ENABLED');
    expect({ ...(await look()), $metadata: {} }).toEqual({ ...before, $metadata: {} });
  });

  it('are found by name and group alone', async () => {
    expect(await schedules().isEnabled('pe-main.weekly')).toBe(false);
    expect(await schedules('default').isEnabled(nightly)).toBe(false);
    await schedules('default').pause(nightly);
    expect(scheduler.states()[nightly]).toBe('ENABLED');
  });

  it('miss their ticks while they are paused', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
    const paused = new Set(['pe-main.often']);
    const ticks: string[] = [];
    const stop = keepSchedules(
      config,
      (name) => paused.has(name),
      ({ system }) => ticks.push(system),
    );
    vi.advanceTimersByTime(60_000);
    expect(ticks).toEqual(['pe-staging']);
    paused.clear();
    vi.advanceTimersByTime(60_000);
    expect(ticks.toSorted()).toEqual(['pe-main', 'pe-staging', 'pe-staging']);
    stop();
    vi.useRealTimers();
  });
});
