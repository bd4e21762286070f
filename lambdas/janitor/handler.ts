import { entry, logger } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { executionsOf } from '../ports/step-functions.ts';
import { publishFleetMetric, publishMetrics } from '../publish.ts';
import { tidy } from './janitor.ts';

const services = {
  state: stateOf('janitor'),
  vault: vaultOf('janitor'),
  runs: executionsOf('janitor'),
  config: configOf('janitor'),
  now: () => new Date(),
};

/** Tidies every system up, one after another, and tells what it did; one that can't be read does not keep it from the others. */
export const handler = entry('janitor', async (input) => {
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
  publishFleetMetric(
    'unreadableBackups',
    reports.reduce((sum, { unreadable }) => sum + unreadable.length, 0),
  );
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} systems could not be tidied.`);
  return { systems: reports };
});
