import {
  DescribeExecutionCommand,
  type HistoryEvent,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { s3Bucket } from '#aws/bucket';
import { s3Client, sfnClient } from '#aws/clients';
import { Manifest } from '#domain/manifest';
import { vaultKeys } from '#domain/naming';
import type { Lab } from '../local/runtime/lab.ts';

/** What a whole run costs beside the work of its commands. */
export interface RunCost {
  readonly transitions: number;
  readonly seconds: number;
}

export interface BackupCost extends RunCost {
  /** From the first command sent to the last one ended, phase by phase, in whole seconds. */
  readonly commandSeconds: number;
}

export interface RestoreCost extends RunCost {
  /** From the start of the run until the first database or file is being put back. */
  readonly firstByteSeconds: number;
}

const system = 'pe-main';

const historyOf = async (client: SFNClient, executionArn: string): Promise<HistoryEvent[]> => {
  const events: HistoryEvent[] = [];
  for await (const page of paginateGetExecutionHistory({ client }, { executionArn, maxResults: 1000 }))
    events.push(...(page.events ?? []));
  return events;
};

/** Runs a machine to its end; counts what it and its children did. */
const benchRun = async (
  lab: Lab,
  machine: string,
  children: readonly string[],
  input: object,
): Promise<RunCost & { output: { backup: string }; begun: number; events: HistoryEvent[] }> => {
  const client = sfnClient();
  const startDate = new Date();
  const { executionArn = '' } = await client.send(
    new StartExecutionCommand({
      stateMachineArn: lab.runtime.stateMachineArn(machine),
      input: JSON.stringify(input),
    }),
  );
  let described = await client.send(new DescribeExecutionCommand({ executionArn }));
  while (described.status === 'RUNNING') {
    await new Promise((resolve) => setTimeout(resolve, 50));
    described = await client.send(new DescribeExecutionCommand({ executionArn }));
  }
  const seconds = (Date.now() - startDate.getTime()) / 1000;
  if (described.status !== 'SUCCEEDED') throw new Error(`${machine}: ${described.error}: ${described.cause}`);
  const events = await historyOf(client, executionArn);
  for (const child of children) {
    const { executions } = await client.send(
      new ListExecutionsCommand({ stateMachineArn: lab.runtime.stateMachineArn(child) }),
    );
    for (const { executionArn: arn = '', startDate: begun = startDate } of executions ?? [])
      if (begun >= startDate) events.push(...(await historyOf(client, arn)));
  }
  client.destroy();
  return {
    transitions: events.filter(({ type }) => type?.endsWith('StateEntered')).length,
    seconds,
    output: JSON.parse(described.output ?? '{}'),
    begun: startDate.getTime(),
    events,
  };
};

/** Runs one backup of the lab's master as it is. */
export const benchBackup = async (lab: Lab): Promise<BackupCost> => {
  const { transitions, seconds, output } = await benchRun(lab, 'holdfast-backup', ['holdfast-run-phase'], { system });
  const vault = s3Bucket(s3Client(), lab.runtime.vaultBucket);
  const stored = await vault.read(vaultKeys.manifest(system, output.backup));
  const manifest = Manifest.parse(JSON.parse(stored?.text ?? '{}'));
  return {
    transitions,
    seconds,
    commandSeconds: Object.values(manifest.phaseSeconds).reduce((sum, one) => sum + one, 0),
  };
};

/** Restores the newest backup of the lab's master onto it, without a safety backup, which is a backup like any other. */
export const benchRestore = async (lab: Lab): Promise<RestoreCost> => {
  const { transitions, seconds, begun, events } = await benchRun(
    lab,
    'holdfast-restore',
    ['holdfast-restore-puppet', 'holdfast-run-phase'],
    { system, backup: 'latest', confirm: system, safetyBackup: false },
  );
  const first = events.find(({ stateEnteredEventDetails }) => stateEnteredEventDetails?.name === 'RestoreGlobals');
  return {
    transitions,
    seconds,
    firstByteSeconds: ((first?.timestamp?.getTime() ?? Number.NaN) - begun) / 1000,
  };
};
