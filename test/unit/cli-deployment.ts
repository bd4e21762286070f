import { SFNClient } from '@aws-sdk/client-sfn';
import { sha256 } from '#aws/digest';
import { sfnTasks } from '#aws/executions';
import { sealOf } from '#domain/approval';
import { stateKeys } from '#domain/naming';
import { type Approval, FailRunInput, RunRef } from '#domain/payloads';
import type { Plan } from '#domain/plan';
import type { Bucket } from '#domain/ports';
import { takeDecision } from '#lambdas/take-decision/take-decision';
import { localMachines } from '#local/runtime/machines';
import { startStepFunctions } from '#local/stepfunctions/index';
import type { Connection } from '../../cli/connection.ts';
import { failRun } from '../../lambdas/fail-run/fail-run.ts';
import { memoryBucket } from './cli-fixtures.ts';

const [region, account] = ['us-east-1', '000000000000'];

export type Lambda = (payload: Payload) => unknown;

/** What the state machines hand to a lambda, as far as the stand-ins look at it. */
export interface Payload {
  readonly run: string;
  readonly execution: string;
  readonly operation: 'backup' | 'restore';
  readonly token: string;
  readonly request: { readonly system: string; readonly planOnly?: boolean; readonly confirm?: string };
  readonly failure: { readonly Error: string; readonly Cause: string };
}

/** Asks for an approval as the lambda does, for a plan of one empty phase. */
export const askApproval = async (state: Bucket, { run, token }: Pick<Payload, 'run' | 'token'>): Promise<void> => {
  const plan: Plan = {
    ...{
      run,
      system: 'pe-main',
      operation: 'restore',
      backup: '20261120T020000Z',
      attempt: 0,
      nodes: [],
      absent: [],
      undoing: { version: '1', sha256: 'ab'.repeat(32) },
    },
    phases: [{ name: 'fetch', documents: {}, commands: [] }],
  };
  await state.write(stateKeys.plan(run), JSON.stringify(plan));
  const approval: Approval = { run, token, deadline: '2027-01-01T00:00:00.000Z', digest: sealOf(plan, sha256).digest };
  await state.write(stateKeys.approval(run), JSON.stringify(approval));
};

/** Machines enough for what is tested; that there is none for upgrades is how an older deployment looks. */
const machines = ['backup', 'restore', 'restore-puppet', 'run-phase', 'undo', 'hold'].map((name) => `holdfast-${name}`);

/** The real state machines, with buckets in memory and lambdas that do as a test says. */
export const startDeployment = async (lambdas: Readonly<Record<string, Lambda>>) => {
  const client = (): SFNClient =>
    new SFNClient({
      region,
      endpoint: stepFunctions.url,
      credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    });
  const stepFunctions = await startStepFunctions({
    machines: Object.fromEntries(
      Object.entries(localMachines(region, account)).filter(([name]) => machines.includes(name)),
    ),
    invoke: async (arn, payload) => {
      const verb = arn.split(':holdfast-')[1] ?? '';
      // How a run ends is no business of a test's.
      if (verb === 'take-decision') return takeDecision(connection.state, RunRef.parse(payload));
      if (verb === 'fail-run') return failRun(sfnTasks(client()), FailRunInput.parse(payload));
      const lambda = lambdas[verb];
      if (lambda === undefined) throw new Error(`no lambda ${arn}`);
      return lambda(JSON.parse(JSON.stringify(payload)));
    },
    region,
    account,
  });
  const connection: Connection = {
    stepFunctions: client(),
    backupMachineArn: stepFunctions.stateMachineArn('holdfast-backup'),
    vault: memoryBucket(),
    vaultName: 'holdfast-vault-000000000000-us-east-1',
    state: memoryBucket(),
    callerId: async () => 'AIDATEST',
    uploads: async () => [],
    options: { endpointUrl: stepFunctions.url },
  };
  return { connection, close: () => stepFunctions.close() };
};
