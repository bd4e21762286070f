import { describe, expect, it } from 'vitest';
import { checkPhase } from '#domain/check';
import { decodeList, documentName, encodeList } from '#domain/naming';
import type { Command, PlannedNode } from '#domain/plan';

const node: PlannedNode = { instanceId: 'i-00000000000000001', name: 'master', roles: ['master'], optional: false };
const of = {
  ...{
    system: 'pe-main',
    run: 'run-1',
    execution: 'arn:aws:states:eu-central-1:111122223333:execution:holdfast-backup:run-1',
    vaultBucket: 'holdfast-vault',
    nodes: [{ node }],
  },
};

const paths = (count: number): string[] => Array.from({ length: count }, (_, index) => `/srv/cache/a_module_${index}`);

const archive = (list: readonly string[]): Command => ({
  ...{ id: 'archive-files', document: documentName('archive-files'), instanceIds: [node.instanceId] },
  ...{ parameters: { Paths: encodeList(list) }, executionTimeoutSeconds: 3600 },
});

const checked = (...archives: readonly string[][]) =>
  checkPhase(of, [{ name: 'collect', commands: archives.map(archive) }]).commands;

describe('a check of a node', () => {
  it('is one command that takes the paths of all archives', () => {
    const [command, ...more] = checked(paths(10), ['/etc/puppetlabs']);
    expect(more).toEqual([]);
    expect(decodeList(command?.parameters['Keys'] ?? '')).toEqual([...paths(10), '/etc/puppetlabs']);
  });

  it('is as many commands as archives when the paths are more than one takes', () => {
    const commands = checked(paths(1000), paths(900));
    expect(commands.map(({ id }) => id)).toEqual(['check-node (master)', 'check-node 2 (master)']);
    for (const { parameters } of commands) expect(parameters['Keys']?.length).toBeLessThanOrEqual(40_000);
    expect(commands.map(({ parameters }) => decodeList(parameters['Keys'] ?? '').length)).toEqual([1000, 900]);
    expect(new Set(commands.map(({ parameters }) => parameters['Key'])).size).toBe(2);
  });
});
