import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { ageMetric } from '#domain/naming';

it('the published metric has the very dimensions that the alarm looks for', () => {
  const module = new URL('../../lambdas/measure-age/publish-age.ts', import.meta.url).href;
  const line = execFileSync(
    process.execPath,
    ['--input-type=module', '--eval', `(await import('${module}')).publishAge('pe-main', 42)`],
    { env: { PATH: process.env['PATH'] } },
  ).toString();
  const dimensions = ageMetric.dimensions('pe-main');
  expect(JSON.parse(line)).toMatchObject({
    ...dimensions,
    [ageMetric.name]: 42,
    _aws: {
      CloudWatchMetrics: [
        {
          Namespace: ageMetric.namespace,
          Dimensions: [Object.keys(dimensions)],
          Metrics: [{ Name: ageMetric.name, Unit: 'Seconds' }],
        },
      ],
    },
  });
});
