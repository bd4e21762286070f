import { UpgradeRequest } from '#domain/payloads';
import { assertSystem } from './catalog.ts';
import { CliError } from './cli-error.ts';
import type { Connection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import { formatDuration } from './format.ts';
import type { Output } from './output.ts';
import { type ApprovedOptions, type Conclude, startApproved } from './run.ts';
import { runFailed } from './run-failed.ts';

/** As they are typed. */
export interface UpgradeOptions extends ApprovedOptions {
  readonly installer?: string;
  readonly sha256?: string;
  readonly approvalMinutes?: string;
  readonly from?: string;
  readonly installModules?: readonly string[];
  readonly compileMasters?: string;
  readonly agents?: string;
  readonly agentErrors?: string;
}

/**
 * Starts an upgrade to a version; with `watch` follows it to its end, where `ok` means that every stage has it. With `plan`
 * it waits for the plan, and nothing is changed.
 */
export const upgrade = async (
  connect: () => Promise<Connection>,
  system: string,
  version: string,
  options: UpgradeOptions,
  output: Output,
): Promise<Exit> => {
  assertSystem(system);
  const { request, approvalSeconds } = requestOf(system, version, options);
  return startApproved(await connect(), 'upgrade', { request, approvalSeconds }, options, concludeUpgrade, output);
};

const requestOf = (system: string, version: string, options: UpgradeOptions) => {
  const { installer, sha256, plan, confirm, approvalMinutes, from, compileMasters, agents, agentErrors } = options;
  const { installModules } = options;
  const where = installer?.includes('://') ? { url: installer } : { name: installer };
  const request = {
    system,
    version,
    installer: installer === undefined ? undefined : { ...where, sha256 },
    planOnly: plan,
    confirm,
    approvalSeconds: approvalMinutes === undefined ? undefined : Math.round(Number(approvalMinutes) * 60),
    from,
    modules: installModules?.map((typed) => {
      const [name = '', digest = ''] = typed.split('=');
      return { name, sha256: digest };
    }),
    compileMasters: compileMasters === undefined ? undefined : Number(compileMasters),
    agents:
      agents === undefined && agentErrors === undefined
        ? undefined
        : { maxConcurrency: agents ?? '10%', maxErrors: agentErrors ?? '1%' },
  };
  const parsed = UpgradeRequest.safeParse(request);
  if (parsed.success) return { request, approvalSeconds: parsed.data.approvalSeconds };
  const said = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new CliError('usage', said, 'All options: holdfast upgrade --help');
};

/** What an upgrade that succeeded gives; undefined for what no upgrade ends with. */
const upgradeLines = (system: string, { outcome, seconds }: Parameters<Conclude>[2]): readonly string[] | undefined => {
  switch (outcome?.kind) {
    case 'upgraded':
      return [
        `${system} has version ${outcome.summary.to}, after ${formatDuration(seconds)}`,
        `What was there before: backup ${system}/${outcome.before}`,
      ];
    case 'upgrade-not-needed':
      return [`${system} has version ${outcome.summary.to} already: there was nothing to do`];
    case 'upgrade-planned': {
      const { from, to, warnings, steps } = outcome.summary;
      return [
        ...Object.entries(from).map(
          ([version, nodes]) => `${nodes} ${nodes === 1 ? 'node' : 'nodes'} with ${version}, to ${to}`,
        ),
        ...warnings.map((warning) => `warning: ${warning}`),
        ...steps,
      ];
    }
    default:
      return undefined;
  }
};

/** Prints the result of an upgrade. */
export const concludeUpgrade: Conclude = (_, { system, run }, progress, json, output) => {
  const { outcome } = progress;
  if (outcome?.kind === 'failed') throw runFailed('upgrade', { run, system }, outcome);
  const lines = upgradeLines(system, progress);
  if (lines === undefined)
    throw new CliError(
      'unexpected',
      `run ${run} ended without the result of an upgrade`,
      'Open its execution in the Step Functions console. A newer version of Holdfast may understand it.',
    );
  if (!json) for (const line of lines) output.line(line);
  return 'ok';
};
