import { jsonState } from '#aws/bucket';
import { parseConfig } from '#domain/config-file';
import type { Inspection } from '#domain/inspection';
import { type Collected, Manifest, uploadsOf } from '#domain/manifest';
import { backupId, decodeText, documentName, stateKeys, vaultKeys } from '#domain/naming';
import type { RunRecord } from '#domain/payloads';
import type { PhaseState } from '#domain/phase';
import type { Command, Phase, PinnedDocument, PinnedPhase, Plan } from '#domain/plan';
import { commitBackup } from '#lambdas/commit-backup/commit-backup';
import { planBackup } from '#lambdas/plan-backup/plan-backup';
import { manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

/** A backup from its inspection to its commit with the real verbs; its nodes answer as their documents do, at once. */

const config = parseConfig(`
systems:
  pe-main:
    kind: puppet-enterprise
    nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }]
retention: { keepLast: 1 }
`);
const [first] = manifestOf('pe-main', '20261120T020000Z').nodes;
if (!first) throw new Error('a manifest without nodes');
const { inspection: found, ...node } = first;
const paths = { ...found.paths, configuration: [{ path: '/etc/puppetlabs', because: 'product' as const, by: '' }] };

/** A phase whose commands have all succeeded. */
export const endedPhase = (phase: Phase, answer: (command: Command) => object, at: string): PhaseState => ({
  ...{ phase: phase.name, attempt: 0, startedAt: at },
  commands: phase.commands.map((command) => ({
    ...{
      id: command.id,
      document: command.document,
      state: 'ended',
      commandId: `c-${command.id}`,
      sentAt: at,
      endedAt: at,
    },
    invocations: command.instanceIds.map((instanceId) => ({
      ...{ instanceId, status: 'Success', detail: 'Success', exitCode: 0, stderr: '' },
      stdout: JSON.stringify(answer(command)),
    })),
  })),
});

/** What a collecting document answers. */
export const collectedBy = ({ document, parameters }: Command): Collected => {
  const upload = (suffix: string) => ({
    ...{ key: `${parameters['Key']}${suffix}.zst`, bytes: 1, rawBytes: 2, sha256: 'ab'.repeat(32) },
    compression: 'zstd' as const,
  });
  switch (document) {
    case documentName('dump-database'):
      return {
        ...{ kind: 'database', database: decodeText(parameters['Database'] ?? ''), tables: 1, rows: 1 },
        ...{ upload: upload('.dump'), contents: upload('.contents'), verified: 'read to its end, its rows counted' },
      };
    case documentName('dump-globals'):
      return {
        ...{ kind: 'globals', upload: upload(''), roles: 1, tablespaces: 0 },
        verified: 'complete to its closing line',
      };
    default:
      return {
        ...{ kind: 'files', group: parameters['Group'] ?? '', upload: upload('.tar'), contents: upload('.contents') },
        ...{ entries: 1, secrets: 0, holds: [], warnings: [], verified: 'read to its end by tar' },
      };
  }
};

const pinned: PinnedDocument = { version: '1', sha256: '0'.repeat(64) };

/** A vault and a state bucket, and backups that are made in them. */
export const backupsInMemory = (vault = memoryBucket()) => {
  const buckets = { state: memoryBucket(), vault };
  const state = jsonState(buckets.state);
  const backUp = async (
    at: Date,
    record: Partial<RunRecord> = {},
    inspection: Inspection = { ...found, paths },
  ): Promise<Manifest> => {
    const [run, backup, startedAt] = [`run-${at.getTime()}`, backupId(at), at.toISOString()];
    const ref = { system: 'pe-main', operation: 'backup' as const, run };
    const execution = `arn:aws:states:eu-central-1:111122223333:execution:holdfast-backup:${run}`;
    await state.write(stateKeys.run(run), {
      ...{ ...ref, backup, execution, startedAt, scheduled: true, attempt: 0, safety: false },
      ...record,
    });
    const inspect: PinnedPhase = {
      name: 'inspect',
      commands: [
        {
          ...{ id: 'inspect-puppet', document: documentName('inspect-puppet'), instanceIds: [node.instanceId] },
          ...{ parameters: {}, executionTimeoutSeconds: 300 },
        },
      ],
      documents: { [documentName('inspect-puppet')]: pinned },
    };
    const plan: Plan = {
      ...{ ...ref, backup, attempt: 0, nodes: [node], absent: [], phases: [inspect], undoing: pinned },
    };
    await state.write(stateKeys.plan(run), plan);
    await state.write(
      stateKeys.phase(run, 'inspect'),
      endedPhase(inspect, () => inspection, startedAt),
    );
    const documents = { document: async () => pinned };
    await planBackup({ config, state, vault, vaultBucket: 'holdfast-vault', documents }, ref);
    const planned: Plan = JSON.parse((await buckets.state.read(stateKeys.plan(run)))?.text ?? '');
    for (const phase of planned.phases.slice(1)) {
      await state.write(stateKeys.phase(run, phase.name), endedPhase(phase, collectedBy, startedAt));
      for (const { key } of phase.commands.flatMap((command) => uploadsOf(collectedBy(command))))
        await vault.create(key, 'x');
    }
    const { manifest } = await commitBackup({ config, state: buckets.state, vault, now: () => at }, ref);
    return Manifest.parse(JSON.parse((await vault.read(manifest))?.text ?? ''));
  };
  return { ...buckets, config, backUp, keyOf: (backup: string) => vaultKeys.manifest('pe-main', backup) };
};
