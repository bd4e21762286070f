import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { phasesOf } from '#domain/contracts/procedure';
import { type StateMachineName, stateMachineNames } from '#domain/naming';
import { generatedMachines, procedures } from '../../statemachines/generate.ts';
import { type Definitions, definitions, machineFaults } from '../contracts/machines.ts';

const machines = definitions();
const phases = new Set(['inspect', ...Object.values(procedures).flatMap(({ steps }) => phasesOf({ steps }))]);

it.each(stateMachineNames)('%s calls verbs and machines as these say that they are called', (name) => {
  expect(machineFaults(name, machines, phases)).toEqual([]);
});

it.each(Object.entries(generatedMachines()))(
  '%s is what `node statemachines/generate.ts` makes of its table',
  (name, text) => {
    expect(readFileSync(new URL(`../../statemachines/${name}`, import.meta.url), 'utf8')).toBe(text);
  },
);

/** The machines with a slip of the pen in one of them: the first place where `wrong` replaces `right`. */
const withSlip = (name: StateMachineName, right: string, wrong: string): Definitions => {
  const text = JSON.stringify(machines[name]);
  expect(text).toContain(right);
  return { ...machines, [name]: JSON.parse(text.replace(right, () => wrong)) };
};

it.each<[string, StateMachineName, string, string, string]>([
  [
    'a path of a ResultSelector',
    'restore',
    '"next.$":"$.Payload.next"',
    '"next.$":"$.Payload.nxt"',
    'restore: PlanRestore: ResultSelector next.$: $.Payload.nxt: the answer of plan-restore has no nxt; it has: kind, next, approvalSeconds, safetyBackup, summary',
  ],
  [
    'the name that a ResultSelector gives',
    'restore',
    '"next.$":"$.Payload.next"',
    '"nxt.$":"$.Payload.next"',
    'restore: IsConfirmed: Variable: $.plan.next: the state has no next; it has: kind, nxt, approvalSeconds, safetyBackup, summary',
  ],
  [
    'the value of a Choice',
    'restore',
    '"StringEquals":"approval"',
    '"StringEquals":"aproval"',
    'restore: IsConfirmed: $.plan.next StringEquals "aproval" never holds: the answer of plan-restore.next is "plan-only", or the answer of plan-restore.next is "confirmed", or the answer of plan-restore.next is "approval"',
  ],
  [
    'the type of what a Choice compares',
    'restore',
    '"BooleanEquals":true',
    '"StringEquals":"true"',
    'restore: IsSafetyBackupWanted: $.plan.safetyBackup StringEquals "true" never holds: the answer of plan-restore.safetyBackup is boolean',
  ],
  [
    'the variable of a Choice',
    'run-phase',
    '"Variable":"$.progress.status"',
    '"Variable":"$.progress.state"',
    'run-phase: IsPhaseDone: Variable: $.progress.state: the state has no state; it has: status, waitSeconds',
  ],
  [
    'a key of a payload',
    'backup',
    '"attempt.$":"$$.Execution.RedriveCount"',
    '"atempt.$":"$$.Execution.RedriveCount"',
    'backup: AcquireLock: Payload: the input of acquire-lock has no atempt; it has: request, operation, run, execution, startedAt, attempt',
  ],
  [
    'a value of a payload',
    'upgrade',
    '"operation":"upgrade"',
    '"operation":"update"',
    'upgrade: AcquireLock: Payload: the input of acquire-lock.operation can\'t be "update"',
  ],
  [
    'a key of what an undo is called with',
    'undo',
    '"Payload":{"run.$":"$.run"}',
    '"Payload":{"runId.$":"$.run"}',
    'undo: PlanUndo: Payload: the input of plan-undo has no runId; it has: run',
  ],
  [
    'a key of what an undo is started with',
    'restore',
    '"Input":{"run.$":"$.run",',
    '"Input":{"runs.$":"$.run",',
    'restore: Undo: Input: the input of undo has no runs; it has: run',
  ],
  [
    'what an undo passes on to the nodes',
    'undo',
    '"ItemSelector":{"system.$":"$.system"',
    '"ItemSelector":{"systm.$":"$.system"',
    'undo: UndoOnNodes: UndoOnNode: Parameters Input system.$: $.system: the state has no system; it has: systm, operation, run, phase',
  ],
  [
    'the name of a state',
    'backup',
    '"Default":"CommitBackup"',
    '"Default":"ComitBackup"',
    'backup: IsCheckOnly Default: there is no state ComitBackup',
  ],
  [
    'the state in which a failure is caught',
    'backup',
    '"Next":"ExplainFailure"',
    '"Next":"ExplainFailures"',
    'backup: UndoDeadRun Catch: there is no state ExplainFailures',
  ],
  [
    'the name of a phase',
    'restore-puppet',
    '"phase":"swap-databases"',
    '"phase":"swop-databases"',
    'restore-puppet: SwapDatabases: Input: no plan has a phase swop-databases',
  ],
  [
    'the verb that is called',
    'backup',
    'CommitBackupFunctionArn',
    'ComitBackupFunctionArn',
    `backup: CommitBackup: it calls \${ComitBackupFunctionArn}, which is no verb and no machine`,
  ],
  [
    'the time that a state waits for its lambda',
    'restore',
    '"TimeoutSeconds":930',
    '"TimeoutSeconds":900',
    'restore: ThawBackup: TimeoutSeconds: thaw-backup may take 900 s, and the state gives up after 900 s',
  ],
  [
    'where a state reads how long to wait',
    'run-phase',
    '"SecondsPath":"$.progress.waitSeconds"',
    '"SecondsPath":"$.progress.status"',
    'run-phase: WaitForCommands: SecondsPath can\'t be "running"',
  ],
  [
    'what a map goes through',
    'upgrade-puppet',
    '"ItemsPath":"$.rollout.waves"',
    '"ItemsPath":"$.rollout.phases"',
    'upgrade-puppet: UpgradeAgents: ItemsPath: $.rollout.phases: the state has no phases; it has: waves',
  ],
])('a slip in %s is told with verb, state and field', (_, name, right, wrong, told) => {
  expect(machineFaults(name, withSlip(name, right, wrong), phases)).toContain(told);
});
