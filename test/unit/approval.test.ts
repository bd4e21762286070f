import { describe, expect, it } from 'vitest';
import { jsonState } from '#aws/bucket';
import { sha256 } from '#aws/digest';
import { readDecision, sealOf, waitsForApproval } from '#domain/approval';
import { parseConfig } from '#domain/config-file';
import { stateKeys } from '#domain/naming';
import type { Decision } from '#domain/payloads';
import type { PinnedPhase, Plan } from '#domain/plan';
import type { RunCommand } from '#domain/ports';
import { takeDecision } from '#lambdas/take-decision/take-decision';
import { createTicketKey } from '#local/runtime/kms';
import { advancePhase } from '../../lambdas/advance-phase/advance-phase.ts';
import { memoryBucket } from './memory.ts';

const instance = 'i-0123456789abcdef0';
const pinned = { version: '1', sha256: 'ab'.repeat(32) };
const phaseOf = (name: string, document: string): PinnedPhase => ({
  name,
  documents: { [document]: pinned },
  commands: [
    { id: 'it', document, instanceIds: [instance], parameters: { Name: 'console' }, executionTimeoutSeconds: 60 },
  ],
});
const drop = phaseOf('drop', 'Holdfast-DropDatabases');
const planOf = (operation: 'restore' | 'upgrade' | 'backup' = 'restore', attempt = 0): Plan => ({
  ...{ run: 'run-1', system: 'pe-main', operation, backup: '20261120T020000Z', attempt, absent: [], undoing: pinned },
  nodes: [{ instanceId: instance, name: 'master', roles: ['master'], optional: false }],
  phases: [phaseOf('inspect', 'Holdfast-InspectPuppet'), drop],
});

const configOf = (approval: string) =>
  parseConfig(`
systems:
  pe-main:
    kind: puppet-enterprise
    approval: ${approval}
    nodes: [{ instance: ${instance}, roles: [master, puppetdb, console] }]
`);

const world = async (plan: Plan, approval = 'required') => {
  const bucket = memoryBucket();
  const state = jsonState(bucket);
  await state.write(stateKeys.plan('run-1'), plan);
  await state.write(stateKeys.run('run-1'), {
    ...{ system: 'pe-main', operation: plan.operation, run: 'run-1', backup: plan.backup, execution: 'arn' },
    ...{ startedAt: '2026-11-20T02:00:00Z', scheduled: false, attempt: plan.attempt, safety: false },
  });
  const sent: string[] = [];
  const unused = (): never => {
    throw new Error('nothing was sent');
  };
  const runCommand: RunCommand = {
    ...{ document: unused, find: unused, invocations: unused, progress: unused, failures: unused, cancel: unused },
    nodes: async ({ instanceIds = [] }) =>
      instanceIds.map((instanceId) => ({ instanceId, name: instanceId, online: true })),
    send: async ({ document }) => String(sent.push(document)),
  };
  const decide = (by: string, decision: Partial<Decision> = {}, of = plan) =>
    state.write(stateKeys.decision('run-1', by), {
      ...{ seal: sealOf(of, sha256), approve: true, at: '2026-11-20T02:01:00Z' },
      ...decision,
    });
  const advance = (phase: string) =>
    advancePhase(
      {
        ...{ config: configOf(approval), answers: bucket, stateBucket: 'state', state, runCommand },
        ...{ tickets: createTicketKey(), now: () => new Date() },
      },
      { system: 'pe-main', operation: plan.operation, run: 'run-1', phase },
    );
  const ref = { system: 'pe-main', operation: plan.operation, run: 'run-1' } as const;
  return { bucket, state, sent, decide, advance, take: () => takeDecision(bucket, ref) };
};

const refused = { name: 'ApprovalRejectedError' };

describe('a request', () => {
  it.each([
    ['optional', undefined, true],
    ['optional', 'pe-main', false],
    ['required', undefined, true],
    ['required', 'pe-main', true],
  ])('where an approval is %s and the confirmation is %s waits: %s', (approval, confirm, waits) => {
    expect(waitsForApproval(configOf(approval), { system: 'pe-main', confirm })).toBe(waits);
  });
});

describe('where an approval is required', () => {
  it('nothing of a restore is sent without one, but looking', async () => {
    const { advance, sent } = await world(planOf());
    await advance('inspect');
    await expect(advance('drop')).rejects.toMatchObject(refused);
    expect(sent).toEqual(['Holdfast-InspectPuppet']);
  });

  it('what was approved is sent', async () => {
    const { advance, decide, sent } = await world(planOf());
    await decide('AROAX:alice');
    await advance('drop');
    expect(sent).toEqual(['Holdfast-DropDatabases']);
  });

  it.each([
    [
      'another parameter',
      {
        ...planOf(),
        phases: [{ ...drop, commands: drop.commands.map((one) => ({ ...one, parameters: { Name: 'pe-puppetdb' } })) }],
      },
    ],
    [
      'another node',
      {
        ...planOf(),
        phases: [{ ...drop, commands: drop.commands.map((one) => ({ ...one, instanceIds: ['i-0123456789abcdef1'] })) }],
      },
    ],
    ['another attempt of the run', planOf('restore', 1)],
  ])('what was approved with %s is not', async (_, approved) => {
    const { advance, decide, sent } = await world(planOf());
    await decide('AROAX:alice', {}, approved);
    await expect(advance('drop')).rejects.toMatchObject(refused);
    expect(sent).toEqual([]);
  });

  it.each(['inspect', 'undo-1'])('a phase by the name of %s that does more is not sent', async (name) => {
    const { advance } = await world({ ...planOf(), phases: [phaseOf(name, 'Holdfast-DropDatabases')] });
    await expect(advance(name)).rejects.toThrow(/[Nn]othing of/);
  });

  it('backups and undoings need none', async () => {
    const backup = await world({ ...planOf('backup'), phases: [phaseOf('collect', 'Holdfast-DumpDatabase')] });
    await backup.advance('collect');
    expect(backup.sent).toHaveLength(1);
    const undo = await world({ ...planOf(), phases: [phaseOf('undo-1', 'Holdfast-Undo')] });
    await undo.advance('undo-1');
    expect(undo.sent).toHaveLength(1);
  });

  describe('what an upgrade plans after it was approved', () => {
    const upgradeOf = (version: string, instanceIds: readonly string[], more: object = {}): PinnedPhase => ({
      name: 'upgrade-compile-masters',
      documents: { 'Holdfast-UpgradeAgent': pinned },
      commands: [
        {
          ...{ id: `upgrade ${version}`, document: 'Holdfast-UpgradeAgent', instanceIds: [...instanceIds] },
          ...{ executionTimeoutSeconds: 60 },
          parameters: { Url: 'https://master:8140/upgrade.bash', AgentVersion: version, ...more },
        },
      ],
    });
    const fetchOf = (key: string, sha256Of: string): PinnedPhase => {
      const parameters = {
        Bucket: 'vault',
        Object: key,
        VersionId: sha256Of,
        Bytes: '1',
        Sha256: sha256Of,
        Compression: 'zstd',
      };
      return {
        name: 'fetch-settings',
        documents: { 'Holdfast-FetchArtifact': pinned },
        commands: [
          {
            id: 'fetch',
            document: 'Holdfast-FetchArtifact',
            instanceIds: [instance],
            parameters,
            executionTimeoutSeconds: 60,
          },
        ],
      };
    };
    const [second, stranger] = ['i-0123456789abcdef1', 'i-0123456789abcdef2'];
    const foreseen = [upgradeOf('0', [instance, second]), fetchOf('backups/pe-main/upgrades/run/arn/settings', '00')];
    // The phase that settings are fetched in is in the plan already, and empty.
    const approved: Plan = {
      ...planOf('upgrade'),
      phases: [...planOf('upgrade').phases, { name: 'fetch-settings', documents: {}, commands: [] }],
      foreseen,
    };
    const advanced = async (phase: PinnedPhase) => {
      const of = await world({
        ...approved,
        phases: [...approved.phases.filter(({ name }) => name !== phase.name), phase],
      });
      await of.decide('AROAX:alice', {}, approved);
      return of.advance(phase.name).then(
        () => of.sent.length,
        ({ name }: Error) => name,
      );
    };

    it.each([
      ['with the version that only the upgraded master tells', upgradeOf('4.5.3', [instance, second]), 1],
      ['on fewer nodes, since the others have it', upgradeOf('4.5.3', [second]), 1],
      ['with what the master has stored', fetchOf('backups/pe-main/upgrades/run/arn/settings.tar.zst', 'ab'), 1],
      ['with nothing to do', { ...upgradeOf('4.5.3', [instance]), commands: [] }, 0],
    ])('is sent as it was foreseen, %s', async (_, phase, sent) => {
      expect(await advanced(phase)).toBe(sent);
    });

    it.each([
      ['on another node', upgradeOf('4.5.3', [instance, stranger])],
      ['from another host', upgradeOf('4.5.3', [instance], { Url: 'https://elsewhere/upgrade.bash' })],
      ['with one parameter more', upgradeOf('4.5.3', [instance], { ServerVersion: '1' })],
      [
        'with another version of the document',
        { ...upgradeOf('4.5.3', [instance]), documents: { 'Holdfast-UpgradeAgent': { ...pinned, version: '2' } } },
      ],
      ['in another phase', { ...upgradeOf('4.5.3', [instance]), name: 'upgrade-hubs' }],
      ['of another object', fetchOf('backups/pe-main/20261120T020000Z/arn/files/configuration.tar.zst', 'ab')],
      ['by another document', phaseOf('upgrade-compile-masters', 'Holdfast-UpgradePuppet')],
    ])('is not sent %s', async (_, phase) => {
      expect(await advanced(phase)).toBe('ApprovalRejectedError');
    });
  });
});

it('a run that has waited for an approval is held to it, also where none is required', async () => {
  const { advance, decide, take, state } = await world(planOf(), 'optional');
  await decide('AROAX:alice');
  await take();
  await state.write(stateKeys.plan('run-1'), { ...planOf(), phases: [phaseOf('drop', 'Holdfast-PurgePuppet')] });
  await expect(advance('drop')).rejects.toMatchObject(refused);
});

describe('a decision', () => {
  it('is written down with whoever made it: their key says who', async () => {
    const { take, decide, bucket } = await world(planOf());
    await decide('AROAX:alice');
    expect(await take()).toMatchObject({ by: 'AROAX:alice', digest: sealOf(planOf(), sha256).digest });
    expect(JSON.parse((await bucket.read(stateKeys.run('run-1')))?.text ?? '')).toMatchObject({
      decision: { by: 'AROAX:alice', approve: true },
    });
  });

  it('that rejects counts more than one that approves', async () => {
    const { take, decide } = await world(planOf());
    await decide('AROAX:alice');
    await decide('AROAX:bob', { approve: false, reason: 'not tonight' });
    await expect(take()).rejects.toMatchObject({ ...refused, message: 'not tonight (rejected by AROAX:bob)' });
  });

  it('is not made by whoever has the token alone', async () => {
    await expect((await world(planOf())).take()).rejects.toMatchObject(refused);
  });

  it('on another plan lets this one not go on', async () => {
    const { take, decide } = await world(planOf());
    await decide('AROAX:alice', {}, { ...planOf(), phases: [] });
    await expect(take()).rejects.toThrow(/is not the plan that AROAX:alice approved/);
  });

  it('that was put together from a digest and other phases is none', async () => {
    const { bucket, decide } = await world(planOf());
    const { digest } = sealOf(planOf(), sha256);
    await decide('AROAX:mallory', { seal: { digest, phases: { drop: 'ab'.repeat(32) }, foreseen: [] } });
    expect(await readDecision(bucket, planOf(), sha256)).toBeUndefined();
  });
});
