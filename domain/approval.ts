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

/**
 * What is foreseen of a command on each of its nodes, or on all that carry its tags. What only an upgraded node can tell is left out: the
 * agent's version that a master brings, and of the settings that it has stored which bytes they are.
 */
const foreseenDigests = ({ name, documents, commands }: PinnedPhase, sha256: Digest): readonly string[] =>
  commands.flatMap(({ id: _, instanceIds, tags, parameters, ...command }) => {
    const known = Object.entries(parameters).flatMap(([parameter, value]) =>
      toldLater.includes(parameter)
        ? []
        : [[parameter, parameter === 'Object' ? value.replace(/(\.tar)?(\.(zst|gz))?$/, '') : value]],
    );
    const pin = documents[command.document];
    return [...instanceIds, ...(tags ? [tags] : [])].map((on) =>
      sha256(JSON.stringify({ name, command, known, pin, on })),
    );
  });

const toldLater: readonly string[] = ['AgentVersion', 'VersionId', 'Bytes', 'Sha256', 'Compression'];

const wholeDigest = (
  { run, attempt }: Pick<Plan, 'run' | 'attempt'>,
  { phases, foreseen }: Omit<PlanSeal, 'digest'>,
  sha256: Digest,
): string => sha256(JSON.stringify({ run, attempt, phases, foreseen }));

/** True when nobody may carry a plan out without a decision: the configuration demands it, and no request switches that off. */
export const needsApproval = ({ systems }: Pick<Config, 'systems'>, system: string): boolean =>
  systems[system]?.approval === 'required';

/** True for a request whose plan waits for a decision. */
export const waitsForApproval = (
  config: Pick<Config, 'systems'>,
  { system, confirm }: { readonly system: string; readonly confirm?: string | undefined },
): boolean => confirm === undefined || needsApproval(config, system);

/** What an approval is for: the phases of a plan as they are now and as they are foreseen, of this attempt of this run and of no other. */
export const sealOf = (plan: Pick<Plan, 'run' | 'attempt' | 'phases' | 'foreseen'>, sha256: Digest): PlanSeal => {
  const phases = Object.fromEntries(plan.phases.map((phase) => [phase.name, phaseDigest(phase, sha256)]));
  const foreseen = (plan.foreseen ?? []).flatMap((phase) => foreseenDigests(phase, sha256));
  return { phases, foreseen, digest: wholeDigest(plan, { phases, foreseen }, sha256) };
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
      return decision && decision.seal.digest === wholeDigest(of, decision.seal, sha256)
        ? [{ ...decision, by, digest: decision.seal.digest }]
        : [];
    }),
  );
  const decisions = found.flat();
  return decisions.find(({ approve }) => !approve) ?? decisions[0];
};

/** True when a decision lets this phase run: it is what was approved, or each of its commands was foreseen on each of its nodes. */
export const isApproved = (decision: Decision | undefined, phase: PinnedPhase, sha256: Digest): boolean => {
  if (!decision?.approve) return false;
  const { phases, foreseen } = decision.seal;
  return (
    phases[phase.name] === phaseDigest(phase, sha256) ||
    foreseenDigests(phase, sha256).every((digest) => foreseen.includes(digest))
  );
};
