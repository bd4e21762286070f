import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { ageMetric } from '#domain/naming';

/** Publishes the age of a system's newest backup, in seconds, as a line of the log that CloudWatch reads as a metric. */
export const publishAge = (system: string, seconds: number): void => {
  // Powertools adds the service as a dimension of its own accord; the alarm must name it as well.
  const { service, ...dimensions } = ageMetric.dimensions(system);
  const metric = new Metrics({ namespace: ageMetric.namespace, serviceName: service, singleMetric: true });
  metric.addDimensions(dimensions);
  metric.addMetric(ageMetric.name, MetricUnit.Seconds, seconds);
};
