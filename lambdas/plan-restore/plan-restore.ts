import { waitsForApproval } from '#domain/approval';
import type { Config } from '#domain/config';
import { CheckFailedError } from '#domain/errors';
import { type Manifest, storedBytes, uploadsOf } from '#domain/manifest';
import { backupMoment, stateKeys } from '#domain/naming';
import type { PlanRestoreOutput, RunRef } from '#domain/payloads';
import type { Phase } from '#domain/plan';
import { fetchedKeys } from '#domain/systems/transfer';
import { type Documents, pinned, readPlan, readRestore, stepsOf, writePlan } from '../runs.ts';
import type { StateOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateOf<'plan-restore'>;
  readonly vault: VaultOf<'plan-restore'>;
  readonly vaultBucket: string;
  readonly documents: Documents;
}

/** A restore takes this many times as long as the backup's collecting: 1.5 in `npm run bench`, where both have two cores. */
const slowerThanBackup = 1.5;

/** Seconds that a phase takes beside its data. */
const secondsPerPhase = 3;

const estimate = (manifest: Manifest, phases: readonly Phase[]): number =>
  Math.round(
    (manifest.phaseSeconds['collect'] ?? 0) * slowerThanBackup +
      phases.filter(({ commands }) => commands.length > 0).length * secondsPerPhase,
  );

/** Bytes in the vault of what the plan fetches, and what they become. */
const bytesOf = (manifest: Manifest, phases: readonly Phase[]): { stored: number; raw: number; artifacts: number } => {
  const objects = new Set(phases.flatMap(({ commands }) => fetchedKeys(commands)));
  const uploads = manifest.artifacts
    .flatMap(({ collected }) => uploadsOf(collected))
    .filter(({ key }) => objects.has(key));
  return {
    stored: uploads.reduce((sum, { bytes }) => sum + bytes, 0),
    raw: uploads.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    artifacts: uploads.length,
  };
};

/**
 * Checks whether the chosen backup may be restored to what the inspection found, and plans it. Throws a CheckFailedError
 * with every reason against it at once; nothing was changed then.
 */
export const planRestore = async (services: Services, { run }: RunRef): Promise<PlanRestoreOutput> => {
  const { request, manifest, choiceWarnings, restoration } = await readRestore(services, run);
  const faults = restoration.check();
  if (faults.length > 0)
    throw new CheckFailedError(
      `${manifest.backup} cannot be restored to ${request.system}, and nothing was changed: ${faults.join('; ')}.`,
    );
  const plan = await readPlan(services.state, run);
  const phases = restoration.plan();
  await writePlan(services.state, {
    ...plan,
    backup: manifest.backup,
    replaced: restoration.replaced.map(({ instanceId }) => instanceId),
    phases: [...plan.phases.slice(0, 1), ...(await pinned(services.documents, phases))],
  });
  const { stored, raw, artifacts } = bytesOf(manifest, phases);
  return {
    kind: manifest.kind,
    next: request.planOnly ? 'plan-only' : waitsForApproval(services.config, request) ? 'approval' : 'confirmed',
    approvalSeconds: request.approvalSeconds,
    safetyBackup: request.safetyBackup && restoration.replaced.length > 0,
    summary: {
      backup: manifest.backup,
      takenAt: backupMoment(manifest.backup).toISOString(),
      plan: stateKeys.plan(run),
      artifacts,
      bytesStored: Math.min(stored, storedBytes(manifest)),
      bytesRaw: raw,
      estimatedSeconds: estimate(manifest, phases),
      warnings: [
        ...choiceWarnings,
        ...restoration.warn(),
        ...manifest.missing.map((what) => `the backup lacks: ${what}`),
      ],
      steps: stepsOf(phases, plan.nodes),
    },
  };
};
