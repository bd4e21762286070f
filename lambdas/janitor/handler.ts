import { s3Bucket } from '#aws/bucket';
import { s3Client, sfnClient } from '#aws/clients';
import { sfnExecutions } from '#aws/executions';
import { JanitorInput } from '#domain/payloads';
import { deployedConfig } from '../config.ts';
import { entry, logger } from '../entry.ts';
import { publishMetrics } from '../publish.ts';
import { Env } from './env.ts';
import { tidy } from './janitor.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  state: s3Bucket(s3, env.STATE_BUCKET),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  runs: sfnExecutions(sfnClient()),
  config: deployedConfig(),
  now: () => new Date(),
};

/** Tidies every system up, one after another, and tells what it did; one that can't be read does not keep it from the others. */
export const handler = entry(JanitorInput, async (input) => {
  const reports = [];
  const failures = [];
  for (const system of input.system === undefined ? Object.keys(services.config.systems) : [input.system])
    try {
      const report = await tidy(services, system, input);
      logger.info('tidied', { ...report });
      publishMetrics(system, {
        janitorRefused: report.outcome === 'refused' ? 1 : 0,
        replacedObjects: report.replaced.length,
      });
      reports.push(report);
    } catch (error) {
      failures.push(error);
    }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} systems could not be tidied.`);
  return { systems: reports };
});
