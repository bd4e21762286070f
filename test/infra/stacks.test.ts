import { Stack } from 'aws-cdk-lib';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { documents } from '#domain/systems/documents';
import { documentStacks } from '#infra/documents-stack';
import { deployed, example } from './deployed.ts';

const { app, templates } = deployed(example);

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

/** One line per resource: what has a new name or place is recreated, and what holds data would begin empty. */
it('what is deployed is what was last reviewed', async () => {
  const Resource = z.object({ Type: z.string() });
  const lines = Object.entries(templates).flatMap(([stack, template]) =>
    Object.entries(z.object({ Resources: z.record(z.string(), Resource) }).parse(template).Resources).map(
      ([id, { Type }]) => `${stack}  ${Type}  ${id}`,
    ),
  );
  await expect(`${lines.toSorted().join('\n')}\n`).toMatchFileSnapshot('__snapshots__/resources.txt');
});
