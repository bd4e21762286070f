import { describe, expect, it } from 'vitest';
import { deployed, example } from './deployed.ts';

const { templates } = deployed(example);

/** The documents' and machines' files are reviewed where they are written; an asset's hash says nothing to anybody. */
const left = new Set(['Content', 'DefinitionString', 'S3Key', 'aws:asset:path']);

describe.each(['holdfast-vault', 'holdfast-nodes', 'holdfast-control'])('%s', (name) => {
  it('is as it was last reviewed', async () => {
    const reviewed = JSON.stringify(
      templates[name],
      (key, value: unknown) => (left.has(key) ? '(left out)' : value),
      2,
    );
    await expect(`${reviewed}\n`).toMatchFileSnapshot(`__snapshots__/${name}.json`);
  });
});
