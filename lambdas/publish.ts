import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { fleetMetrics, type SystemMetric, systemMetricNames, systemMetrics } from '#domain/naming';

const units = {
  age: MetricUnit.Seconds,
  duration: MetricUnit.Seconds,
  bytes: MetricUnit.Bytes,
  deviation: MetricUnit.NoUnit,
  verificationAge: MetricUnit.Seconds,
  orphanUploads: MetricUnit.Count,
  janitorRefused: MetricUnit.Count,
  replacedObjects: MetricUnit.Count,
} as const satisfies Record<SystemMetric, string>;

const entriesOf = (values: Readonly<Partial<Record<SystemMetric, number>>>): [SystemMetric, number][] =>
  systemMetricNames.flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [[name, value]];
  });

/** Publishes metrics of a system as one line of the log, which CloudWatch reads. */
export const publishMetrics = (system: string, values: Readonly<Partial<Record<SystemMetric, number>>>): void => {
  // Powertools adds the service as a dimension of its own accord; the alarm must name it as well.
  const { service, ...dimensions } = systemMetrics.dimensions(system);
  const metrics = new Metrics({ namespace: systemMetrics.namespace, serviceName: service });
  metrics.addDimensions(dimensions);
  for (const [name, value] of entriesOf(values)) metrics.addMetric(systemMetrics.names[name], units[name], value);
  metrics.publishStoredMetrics();
};

/** Publishes a metric over all systems. */
export const publishFleetMetric = (name: 'authorityDaysLeft' | 'unreadableBackups', value: number): void => {
  const metrics = new Metrics({ namespace: fleetMetrics.namespace, serviceName: fleetMetrics.dimensions.service });
  metrics.addMetric(fleetMetrics[name], MetricUnit.Count, value);
  metrics.publishStoredMetrics();
};
