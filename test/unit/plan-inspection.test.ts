import { beforeEach, describe, expect, it } from 'vitest';
import { jsonState } from '#aws/bucket';
import { parseConfig } from '#domain/config-file';
import { stateKeys } from '#domain/naming';
import { RestoreRequest, type RunRecord } from '#domain/payloads';
import { Plan } from '#domain/plan';
import type { ManagedNode, RunCommand } from '#domain/ports';
import { planInspection } from '#lambdas/plan-inspection/plan-inspection';
import { memoryBucket } from './memory.ts';

/** Which nodes a run works on, and what it says of those that do not answer. */

const ids = { master: 'i-00000001', puppetdb: 'i-00000002', console: 'i-00000003', spare: 'i-00000009' } as const;
const config = parseConfig(`
systems:
  pe-main:
    kind: puppet-enterprise
    nodes:
      - { instance: ${ids.master}, roles: [master] }
      - { instance: ${ids.puppetdb}, roles: [puppetdb] }
      - { instance: ${ids.console}, roles: [console] }
`);
const document = { version: '3', sha256: 'ab'.repeat(32) };

let state: ReturnType<typeof jsonState>;
let online: Set<string>;
beforeEach(() => {
  state = jsonState(memoryBucket());
  online = new Set(Object.values(ids));
});

const nodes: RunCommand['nodes'] = async (of) =>
  'instanceIds' in of
    ? of.instanceIds.map(
        (instanceId): ManagedNode => ({ instanceId, name: instanceId, online: online.has(instanceId) }),
      )
    : [];

const begin = (run: string, record: Partial<RunRecord> = {}): Promise<void> =>
  state.write(stateKeys.run(run), {
    ...{ system: 'pe-main', kind: 'puppet-enterprise', operation: 'backup', run, execution: 'arn', attempt: 0 },
    ...{ backup: '20261120T020000Z', startedAt: '2026-11-20T02:00:00Z', scheduled: false, safety: false, ...record },
  });

const planned = async (run: string): Promise<Plan> => {
  const ref = { system: 'pe-main', run, operation: 'backup' as const };
  await planInspection({ config, state, runCommand: { nodes, document: async () => document } }, ref);
  const plan = await state.read(stateKeys.plan(run), Plan);
  if (!plan) throw new Error('no plan was written');
  return plan;
};
const inspected = ({ phases }: Plan): string[] =>
  phases.flatMap(({ commands }) => commands.flatMap(({ instanceIds }) => instanceIds)).toSorted();

describe('a backup', () => {
  it('is of every node of the configuration, and of none when one is silent', async () => {
    await begin('backup-1');
    expect(inspected(await planned('backup-1'))).toEqual([ids.master, ids.puppetdb, ids.console]);
    online.delete(ids.console);
    await expect(planned('backup-1')).rejects.toThrow(`${ids.console} (${ids.console}) does not answer SSM`);
  });

  it('of what still lives names the others', async () => {
    online.delete(ids.console);
    await begin('backup-1', { partial: true });
    const plan = await planned('backup-1');
    expect(inspected(plan)).toEqual([ids.master, ids.puppetdb]);
    expect(plan.unreachable?.join()).toContain(ids.console);
  });
});

describe('a restore', () => {
  const restore = (more: object) => RestoreRequest.parse({ system: 'pe-main', backup: 'latest', ...more });

  it('of named nodes goes on without the others, but not without the one that takes the place of a lost one', async () => {
    online.delete(ids.puppetdb);
    await begin('restore-1', { operation: 'restore', restore: restore({ nodes: ['console'] }) });
    expect(inspected(await planned('restore-1'))).toEqual([ids.master, ids.console]);
    online.delete(ids.spare);
    await begin('restore-1', { operation: 'restore', restore: restore({ onto: { console: ids.spare } }) });
    await expect(planned('restore-1')).rejects.toThrow(`${ids.spare} (${ids.spare}) does not answer SSM`);
  });

  it('has its safety backup taken of what it replaces, whatever has become of the other nodes', async () => {
    await begin('restore-1', { operation: 'restore', restore: restore({ onto: { console: ids.spare } }) });
    const plan = await planned('restore-1');
    await state.write(stateKeys.plan('restore-1'), { ...plan, replaced: [ids.spare] });
    online = new Set([ids.spare]);
    await begin('safety-1', { safety: true, lockedBy: 'restore-1' });
    const safety = await planned('safety-1');
    expect(inspected(safety)).toEqual([ids.spare]);
    expect(safety).toMatchObject({ absent: [], nodes: [{ instanceId: ids.spare, roles: ['console'] }] });
    expect(safety.unreachable).toBeUndefined();
  });
});

it('a backup before an upgrade is of every node', async () => {
  await begin('upgrade-1', { operation: 'upgrade' });
  await begin('backup-1', { lockedBy: 'upgrade-1' });
  expect(inspected(await planned('backup-1'))).toEqual([ids.master, ids.puppetdb, ids.console]);
});
