import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Validations } from 'aws-cdk-lib';
import { CURRENTLY_RECOMMENDED_FLAGS } from 'aws-cdk-lib/cx-api';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseConfig } from '#domain/config-file';
import { functionName } from '#domain/naming';
import { contractOf, verbNames } from '#lambdas/verbs';
import { deployed, example, flags, rich } from './deployed.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'holdfast-infra-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const Report = z.object({
  pluginReports: z.array(
    z.object({
      pluginName: z.string(),
      violations: z.array(z.json()),
      suppressedViolations: z
        .array(
          z.object({
            acknowledgedId: z.string(),
            violatingConstructs: z.array(z.object({ constructPath: z.string() })),
          }),
        )
        .default([]),
    }),
  ),
});

describe.each([
  ['the example', example],
  ['every feature', rich],
])('with %s', (_, text) => {
  const { app, report } = deployed(text);
  const reports = Report.parse(report).pluginReports;

  it('AwsSolutions, the built-in rules and CDK itself find nothing', () => {
    expect(reports.map(({ pluginName }) => pluginName)).toContain('AwsSolutions');
    for (const { pluginName, violations } of reports) expect([pluginName, violations]).toEqual([pluginName, []]);
  });

  it('no finding is acknowledged that there is not', () => {
    const acknowledged = app.node.children.flatMap((stack) =>
      stack.node.metadata
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .flatMap(({ data }) => Object.keys(z.record(z.string(), z.string()).parse(data)))
        .map((id) => `${stack.node.id} ${id}`),
    );
    const found = reports
      .flatMap(({ suppressedViolations }) => suppressedViolations)
      .flatMap(({ acknowledgedId, violatingConstructs }) =>
        violatingConstructs.map(({ constructPath }) => `${constructPath.split('/')[0]} ${acknowledgedId}`),
      );
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(new Set(acknowledged)).toEqual(new Set(found));
  });
});

it("CDK's feature flags are as recommended but for those that were decided otherwise", () => {
  const decided = {
    // GovCloud is a partition as well.
    '@aws-cdk/core:target-partitions': ['aws', 'aws-cn', 'aws-us-gov'],
    // The vault can't be deleted while something uses it.
    '@aws-cdk/core:defaultCrossStackReferences': 'strong',
    // Tells AWS how the constructs are used.
    '@aws-cdk/core:enableAdditionalMetadataCollection': false,
  };
  expect(flags).toEqual({ ...CURRENTLY_RECOMMENDED_FLAGS, ...decided });
});

const synthesize = (file: string, output: string) =>
  spawnSync(process.execPath, ['infra/app.ts'], {
    cwd: repository,
    env: { ...process.env, HOLDFAST_FILE: file, CDK_OUTDIR: output, CDK_CONTEXT_JSON: JSON.stringify(flags) },
    encoding: 'utf8',
  });

/** In a process of its own, as Lambda does it: node knows only the bundle. */
const load = `
  for (const [name, file] of Object.entries(JSON.parse(process.argv[1])))
    console.log(name, typeof (await import(file)).handler);
`;

it('every handler is bundled, loads alone, and has the configuration beside it when it reads it', () => {
  const output = join(directory, 'cdk.out');
  const { status, stderr } = synthesize('holdfast.example.yaml', output);
  expect([status, status === 0 ? '' : stderr.slice(-2000)]).toEqual([0, '']);
  const report = Report.parse(JSON.parse(readFileSync(join(output, 'validation-report.json'), 'utf8')));
  for (const { violations } of report.pluginReports) expect(violations).toEqual([]);

  const { Resources } = z
    .object({
      Resources: z.record(
        z.string(),
        z.object({
          Type: z.string(),
          Properties: z.object({
            FunctionName: z.string().catch(''),
            Code: z.object({ S3Key: z.string() }).default({ S3Key: '' }),
          }),
        }),
      ),
    })
    .parse(JSON.parse(readFileSync(join(output, 'holdfast-control.template.json'), 'utf8')));
  const bundles = Object.fromEntries(
    Object.values(Resources)
      .filter(({ Type }) => Type === 'AWS::Lambda::Function')
      .map(({ Properties: { FunctionName, Code } }) => [
        FunctionName,
        join(output, `asset.${Code.S3Key.replace('.zip', '')}`),
      ]),
  );
  expect(Object.keys(bundles).toSorted()).toEqual(verbNames.map(functionName).toSorted());

  const readers = Object.entries(bundles).filter(([, bundle]) =>
    readFileSync(join(bundle, 'index.mjs'), 'utf8').includes('HOLDFAST_CONFIG'),
  );
  expect(readers.map(([name]) => name).toSorted()).toEqual(
    verbNames
      .filter((verb) => contractOf(verb).config)
      .map(functionName)
      .toSorted(),
  );
  for (const [, bundle] of readers)
    expect(JSON.parse(readFileSync(join(bundle, 'holdfast.json'), 'utf8'))).toEqual(parseConfig(example));

  const loaded = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      load,
      JSON.stringify(
        Object.fromEntries(Object.entries(bundles).map(([name, path]) => [name, join(path, 'index.mjs')])),
      ),
    ],
    {
      cwd: directory,
      env: { STATE_BUCKET: 'state', VAULT_BUCKET: 'vault', TOPIC_ARN: 'topic', AWS_REGION: 'eu-central-1' },
      encoding: 'utf8',
    },
  );
  expect([loaded.status, loaded.stderr]).toEqual([0, '']);
  expect(loaded.stdout.trim().split('\n').toSorted()).toEqual(
    verbNames.map((verb) => `holdfast-${verb} function`).toSorted(),
  );
});

it('all mistakes of a configuration are told at once, with exit code 1 and no template', () => {
  const file = join(directory, 'bad.yaml');
  writeFileSync(file, 'systems:\n  pe-main:\n    kind: puppet\nscheduls: {}\n');
  const { status, stdout, stderr } = synthesize(file, join(directory, 'none'));
  expect(status).toBe(1);
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toEqual([
    `${file}:3:5: systems.pe-main.kind: expected puppet-enterprise or juju`,
    `${file}:4:1: scheduls: expected no such key`,
  ]);
});
