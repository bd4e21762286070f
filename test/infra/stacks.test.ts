import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { deployed, example } from './deployed.ts';

const { templates } = deployed(example);

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

describe.each(['holdfast-vault', 'holdfast-nodes', 'holdfast-control', 'holdfast-schedules', 'holdfast-alarms'])(
  '%s',
  (name) => {
    it('is as it was last reviewed', async () => {
      const reviewed = JSON.stringify(
        templates[name],
        (key, value: unknown) => (left.has(key) ? '(left out)' : value),
        2,
      );
      await expect(`${reviewed}\n`).toMatchFileSnapshot(`__snapshots__/${name}.json`);
    });
  },
);
