import { Stack } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { documents } from '#domain/systems/documents';
import { documentStacks } from '#infra/documents-stack';
import { deployed, example } from './deployed.ts';

const { app, templates } = deployed(example);

/** The documents' and machines' files are reviewed where they are written; an asset's hash says nothing to anybody. */
const left = new Set(['Content', 'DefinitionString', 'S3Key', 'aws:asset:path']);

it('a first deployment that failed can be repeated: nothing stays behind that has a name and was never used', () => {
  const Resource = z.object({ Type: z.string(), DeletionPolicy: z.string().default('Delete') });
  for (const template of Object.values(templates)) {
    const { Resources } = z.object({ Resources: z.record(z.string(), Resource) }).parse(template);
    for (const [id, { Type, DeletionPolicy }] of Object.entries(Resources))
      expect([id, DeletionPolicy]).toEqual([
        id,
        ['AWS::S3::Bucket', 'AWS::KMS::Key'].includes(Type) ? 'RetainExceptOnCreate' : 'Delete',
      ]);
  }
});

it('a schedule is made after its group, which it only names', () => {
  const Resource = z.object({ Type: z.string(), DependsOn: z.array(z.string()).default([]) });
  const { Resources } = z.object({ Resources: z.record(z.string(), Resource) }).parse(templates['holdfast-schedules']);
  const [group] = Object.entries(Resources).find(([, { Type }]) => Type === 'AWS::Scheduler::ScheduleGroup') ?? [];
  const schedules = Object.values(Resources).filter(({ Type }) => Type === 'AWS::Scheduler::Schedule');
  expect(schedules.length).toBeGreaterThan(3);
  for (const { DependsOn } of schedules) expect(DependsOn).toContain(group);
});

it('documents are deployed before the lambdas that send them, each in the stack of its first letter', () => {
  const control = app.node.findChild('holdfast-control');
  const before = Stack.of(control).dependencies.map(({ stackName }) => stackName);
  const stacks = documentStacks.map((letters) => `holdfast-documents-${letters}`);
  expect(before).toEqual(expect.arrayContaining(stacks));
  const names = stacks.flatMap((stack) =>
    Object.keys(z.object({ Resources: z.record(z.string(), z.json()) }).parse(templates[stack]).Resources),
  );
  expect(names).toHaveLength(documents.length);
});

describe.each([
  'holdfast-vault',
  'holdfast-nodes',
  'holdfast-documents-a-e',
  'holdfast-documents-f-p',
  'holdfast-documents-q-z',
  'holdfast-control',
  'holdfast-schedules',
  'holdfast-alarms',
])('%s', (name) => {
  it('is as it was last reviewed', async () => {
    const reviewed = JSON.stringify(
      templates[name],
      (key, value: unknown) => (left.has(key) ? '(left out)' : value),
      2,
    );
    await expect(`${reviewed}\n`).toMatchFileSnapshot(`__snapshots__/${name}.json`);
  });
});
