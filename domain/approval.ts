import type { Config } from './config.ts';
import type { BucketFor } from './contracts/access.ts';
import { stateKeys } from './naming.ts';
import { type Decided, Decision, type PlanSeal } from './payloads.ts';
import type { PinnedPhase, Plan } from './plan.ts';

/** Where decisions lie. */
type Decisions = Pick<BucketFor<{ readonly 'decisions/': readonly ['read'] }>, 'read' | 'list'>;

/** The SHA-256 of a text, in hexadecimal. */
export type Digest = (text: string) => string;

const phaseDigest = ({ name, documents, commands }: PinnedPhase, sha256: Digest): string =>
  sha256(JSON.stringify({ name, documents, commands }));

const wholeDigest = (
  { run, attempt }: Pick<Plan, 'run' | 'attempt'>,
  phases: PlanSeal['phases'],
  sha256: Digest,
): string => sha256(JSON.stringify({ run, attempt, phases }));

/** True when nobody may carry a plan out without a decision: the configuration demands it, and no request switches that off. */
export const needsApproval = ({ systems }: Pick<Config, 'systems'>, system: string): boolean =>
  systems[system]?.approval === 'required';

/** True for a request whose plan waits for a decision. */
export const waitsForApproval = (
  config: Pick<Config, 'systems'>,
  { system, confirm }: { readonly system: string; readonly confirm?: string | undefined },
): boolean => confirm === undefined || needsApproval(config, system);

/** What an approval is for: the phases of a plan as they are now, of this attempt of this run and of no other. */
export const sealOf = (plan: Pick<Plan, 'run' | 'attempt' | 'phases'>, sha256: Digest): PlanSeal => {
  const phases = Object.fromEntries(plan.phases.map((phase) => [phase.name, phaseDigest(phase, sha256)]));
  return { phases, digest: wholeDigest(plan, phases, sha256) };
};

/**
 * What was decided on an attempt of a run. Who has decided is in the decision's key, which their policy lets nobody else write. A
 * rejection counts more than any approval. Undefined when nobody has decided.
 */
export const readDecision = async (
  state: Decisions,
  of: Pick<Plan, 'run' | 'attempt'>,
  sha256: Digest,
): Promise<(Decision & Decided) | undefined> => {
  const prefix = stateKeys.decisions(of.run);
  const found = await Promise.all(
    (await state.list(prefix)).map(async (key) => {
      const by = key.slice(prefix.length).replace(/\.json$/, '');
      const text = (await state.read(stateKeys.decision(of.run, by)))?.text;
      const decision = Decision.safeParse(JSON.parse(text ?? 'null')).data;
      return decision && decision.seal.digest === wholeDigest(of, decision.seal.phases, sha256)
        ? [{ ...decision, by, digest: decision.seal.digest }]
        : [];
    }),
  );
  const decisions = found.flat();
  return decisions.find(({ approve }) => !approve) ?? decisions[0];
};

/**
 * True when a decision lets this phase run. What an upgrade plans after it was approved is in no seal: it follows from the request that
 * was approved, and from what the upgraded nodes answer.
 */
export const isApproved = (
  decision: Decision | undefined,
  { operation }: Pick<Plan, 'operation'>,
  phase: PinnedPhase,
  sha256: Digest,
): boolean => {
  if (!decision?.approve) return false;
  const sealed = decision.seal.phases[phase.name];
  return sealed === undefined ? operation === 'upgrade' : sealed === phaseDigest(phase, sha256);
};
