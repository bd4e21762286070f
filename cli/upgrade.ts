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
 * it waits for the plan, and nothing is touched.
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

/** Tells what an upgrade has come to. */
export const concludeUpgrade: Conclude = (_, { system, run }, { outcome, seconds }, json, output) => {
  switch (outcome?.kind) {
    case 'upgraded':
      if (json) return 'ok';
      output.line(`${system} has version ${outcome.summary.to}, after ${formatDuration(seconds)}`);
      output.line(`What was there before: backup ${system}/${outcome.before}`);
      return 'ok';
    case 'upgrade-not-needed':
      if (!json) output.line(`${system} has version ${outcome.summary.to} already: there was nothing to do`);
      return 'ok';
    case 'upgrade-planned': {
      if (json) return 'ok';
      const { from, to, warnings, steps } = outcome.summary;
      for (const [version, nodes] of Object.entries(from))
        output.line(`${nodes} ${nodes === 1 ? 'node' : 'nodes'} with ${version}, to ${to}`);
      for (const warning of warnings) output.line(`warning: ${warning}`);
      for (const step of steps) output.line(step);
      return 'ok';
    }
    case 'failed':
      throw runFailed('upgrade', { run, system }, outcome);
    default:
      throw new CliError(
        'unexpected',
        `run ${run} ended as no upgrade does`,
        'Look at its execution. A newer Holdfast may know.',
      );
  }
};
