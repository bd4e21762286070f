import { describe, expect, it } from 'vitest';
import { checkPhase, foreseen } from '#domain/check';
import type { System } from '#domain/config';
import type { Manifest } from '#domain/manifest';
import type { Phase } from '#domain/plan';
import type { Inspected, RestoreOf } from '#domain/systems/kind';
import { kindOf } from '#domain/systems/kinds';
import {
  backupTaken,
  found,
  ids,
  juju,
  jujuFound,
  jujuInspection,
  jujuManifest,
  linesOf,
  monolith,
  node,
  plannedNode,
  puppet,
  puppetManifest,
  refusalsOf,
  restoration,
  sent,
  split,
  system,
  upgrading,
} from './plan-fixtures.ts';

/** The plans of every operation and kind, as test/plans has them: which document runs where with what, and in which order. */

/** The file of a plan by its name in a sentence. */
const fileOf = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9.]+/g, '-');

const golden = (name: string, lines: readonly string[]): Promise<void> =>
  expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`../plans/${fileOf(name)}.txt`);

/** The lines of a plan, every command of which SSM and its agent take as it is. */
const accepted = (phases: readonly Phase[]): readonly string[] => {
  expect(phases.flatMap(({ commands }) => commands.flatMap(refusalsOf))).toEqual([]);
  return linesOf(phases);
};

describe('the plan of a backup', () => {
  const plan = (
    configured: System,
    nodes: readonly Inspected[],
    changes: { safety?: boolean; previous?: Manifest } = {},
  ) =>
    kindOf(configured).planBackup({
      ...{ ...sent, system: 'it-self', backup: backupTaken, nodes, previous: changes.previous },
      safety: changes.safety ?? false,
    });

  it.each([
    ['one node of Puppet Enterprise 3.2', puppet(), found('3.2.3', monolith)],
    ['a quiesced one', puppet(', consistency: quiesced'), found('3.2.3', monolith)],
    ['one of 2016.4 with paths of its own', puppet(", extraPaths: ['/srv/our files']"), found('2016.4.2', monolith)],
    [
      'a split installation with a compile master that may be missing',
      puppet(),
      found('3.8.5', [...split, { id: ids.compiler, roles: ['compile-master'], optional: true }]),
    ],
    ['Juju 1.18', juju, jujuFound('1.18.1')],
    ['Juju 1.25', juju, jujuFound('1.25.13')],
    ['Juju 3.6 with three controllers', juju, jujuFound('3.6.4', 3)],
  ])('of %s', async (name, configured, nodes) => {
    await golden(`backup of ${name}`, accepted(plan(configured, nodes)));
  });

  it('of a node that a restore is about to replace stops nothing', () => {
    const quiesced = puppet(', consistency: quiesced');
    const broken = found('2040.1', monolith, { roles: ['console'], problems: ['its disk is full'] });
    expect(plan(quiesced, broken, { safety: true }).map(({ name }) => name)).toEqual(['collect']);
    expect(
      kindOf(quiesced).missingFrom(
        broken[0] ?? { node: plannedNode({ id: '', roles: [] }), inspection: jujuInspection('1.18', 1) },
      ),
    ).toEqual(['its disk is full', 'nothing of the role master was found', 'nothing of the role puppetdb was found']);
  });

  it('expects what the one before took: its time three times, its bytes and half of them again', () => {
    const previous = puppetManifest('3.2.3', monolith, { phaseSeconds: { collect: 40_000 } });
    const [collect] = plan(puppet(), found('3.2.3', monolith), { previous });
    expect(collect?.commands[0]).toMatchObject({
      executionTimeoutSeconds: 120_000,
      parameters: { ExpectedBytes: '1500' },
    });
    const longest = puppetManifest('3.2.3', monolith, { phaseSeconds: { collect: 900_000 } });
    const [again] = plan(puppet(), found('3.2.3', monolith), { previous: longest });
    expect(again?.commands[0]?.executionTimeoutSeconds).toBe(172_800);
  });

  it.each<[string, System, readonly Inspected[], string, RegExp]>([
    ['a version that nobody knows', puppet(), found('2019.8.1', monolith), 'CommandFailedError', /covers 3.0 to 3.8/],
    [
      'a node without its role',
      puppet(),
      found('3.2.3', monolith, { roles: ['master', 'puppetdb'] }),
      'WrongRoleError',
      /configured as console, but only master, puppetdb was found/,
    ],
    [
      'a node without anything',
      puppet(),
      found('', monolith, { roles: [] }),
      'WrongRoleError',
      /nothing of Puppet Enterprise was found/,
    ],
    [
      'databases that lie elsewhere',
      puppet(),
      found('3.2.3', monolith, { postgres: null }),
      'WrongRoleError',
      /has no pe-postgresql/,
    ],
    ['Juju that is too old', juju, jujuFound('1.15.0'), 'CommandFailedError', /Juju 1.15.0 was found/],
    ['no Juju at all', juju, [], 'CommandFailedError', /Juju \(none\) was found/],
    ['no client of Juju', juju, jujuFound('3.6.4', 2).slice(1), 'WrongRoleError', /No node holds a Juju client/],
    [
      'controllers of somebody else',
      juju,
      jujuFound('3.6.4', 2).map((one, n) =>
        n === 0
          ? one
          : {
              ...one,
              inspection: {
                ...one.inspection,
                server: one.inspection.server && { ...one.inspection.server, uuid: 'another' },
              },
            },
      ),
      'WrongRoleError',
      /machine-1 belongs to another, but production is uuid/,
    ],
    [
      'a state server of 1.x that is not the first',
      juju,
      [
        {
          node: jujuFound('1.18.1')[0]?.node ?? plannedNode({ id: '', roles: [] }),
          inspection: jujuInspection('1.18.1', 1, 0, { server: null, roles: ['juju-client', 'juju-controller'] }),
        },
      ],
      'CommandFailedError',
      /machine 0, is not among the nodes that answer \(none\)/,
    ],
    [
      'no controller of 3.6',
      juju,
      [
        {
          node: jujuFound('3.6.4')[0]?.node ?? plannedNode({ id: '', roles: [] }),
          inspection: jujuInspection('3.6.4', 1, 0, { server: null }),
        },
      ],
      'WrongRoleError',
      /No node holds a Juju controller/,
    ],
    [
      'a node that is configured as what it is not',
      juju,
      jujuFound('3.6.4').map((one) => ({ ...one, inspection: { ...one.inspection, roles: [] } })),
      'WrongRoleError',
      /nothing of Juju was found/,
    ],
  ])('is refused for %s', (_, configured, nodes, name, message) => {
    expect(() => plan(configured, nodes)).toThrow(
      expect.objectContaining({ name, message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ['Puppet Enterprise', puppet(), found('3.2.3', split)],
    ['Juju', juju, jujuFound('3.6.4')],
  ])('of %s that is only checked for asks each node, and collects nothing', async (name, configured, nodes) => {
    const wanted = { ...sent, system: 'it-self', backup: backupTaken, nodes, previous: undefined, safety: false };
    await golden(`check of ${name}`, accepted([checkPhase(wanted, foreseen(kindOf(configured), wanted).phases)]));
  });
});

describe('the plan of a restore', () => {
  const installer = {
    key: 'installers/pe-main/pe-3.2.3.tar.gz',
    versionId: 'v',
    bytes: 1,
    sha256: 'cd'.repeat(32),
    compression: 'gzip' as const,
  };
  const without = {
    hostname: 'master.example.com',
    version: '',
    agentVersion: '',
    postgres: null,
    certificateAuthority: null,
    services: [],
    roles: [],
  };

  it.each<[string, Manifest, readonly Inspected[], object, Partial<RestoreOf>?]>([
    ['one node of Puppet Enterprise 3.2', puppetManifest('3.2.3', monolith), found('3.2.3', monolith), {}],
    ['one of 2016.4', puppetManifest('2016.4.2', monolith), found('2016.4.2', monolith), {}],
    [
      'one that is purged and installed again',
      puppetManifest('3.2.3', monolith),
      found('3.2.3', monolith),
      { reinstall: { installer: 'pe-3.2.3.tar.gz', sha256: 'cd'.repeat(32) }, databases: 'globals' },
      { installer },
    ],
    [
      'one onto a new instance without anything',
      puppetManifest('3.2.3', monolith),
      found('', [{ id: 'i-00000009', roles: ['master', 'puppetdb', 'console'] }], without),
      { onto: { master: 'i-00000009' }, reinstall: { installer: 'pe-3.2.3.tar.gz', sha256: 'cd'.repeat(32) } },
      { installer },
    ],
    [
      'one database and the certificate authority',
      puppetManifest('3.2.3', monolith),
      found('3.2.3', monolith),
      { scope: ['databases:console', 'certs'] },
    ],
    ['a split installation', puppetManifest('3.8.5', split), found('3.8.5', split), {}],
    [
      "a split installation's lost console, whose PuppetDB goes on",
      puppetManifest('3.8.5', split),
      found(
        '3.8.5',
        split.map((one) => (one.id === ids.console ? { ...one, id: 'i-00000009' } : one)),
      ),
      { onto: { console: 'i-00000009' } },
    ],
    [
      'Juju 1.25',
      jujuManifest('1.25.13', 'stored'),
      jujuFound('1.25.13').map(({ node, inspection }) => ({ node, inspection: { ...inspection, server: null } })),
      { juju: { constraints: 'mem=4G', ensureAvailability: 3 }, allow: ['stopped-server'] },
    ],
    ['Juju 2.9.18', jujuManifest('2.9.18', 'stored'), jujuFound('2.9.18'), {}],
    [
      'Juju 3.6 with three controllers',
      jujuManifest('3.6.4', 'file', 3),
      jujuFound('3.6.4', 3),
      { allow: ['version'] },
    ],
    [
      'Juju 3.6 whose client has lost its directory',
      jujuManifest('3.6.4', 'file'),
      jujuFound('3.6.4').map(({ node, inspection }) => ({ node, inspection: { ...inspection, client: null } })),
      {},
    ],
  ])('of %s', async (name, manifest, nodes, request, more = {}) => {
    const restore = restoration(manifest, nodes, request, more);
    await golden(`restore of ${name}`, [
      ...restore.check().map((fault) => `REFUSED: ${fault}`),
      ...restore.warn().map((warning) => `warning: ${warning}`),
      ...accepted(restore.plan()),
    ]);
  });
});

describe('the plan of an upgrade', () => {
  const url = { installer: { url: 'https://example.com/pe.tar.gz', sha256: 'cd'.repeat(32) } };
  const large = puppet(`, loadBalancer: lb.example.com`);
  const agents = system(`{ kind: puppet-enterprise, loadBalancer: lb.example.com, nodes: [
    ${node(ids.master, 'master')}, ${node(ids.puppetdb, 'puppetdb')}, ${node(ids.console, 'console')},
    { tag: { key: tier, value: test }, roles: [agent], canary: true }, { tag: { key: tier, value: live }, roles: [agent] } ] }`);

  it.each<[string, System, readonly Inspected[], object]>([
    [
      'a split installation from 3.2 to 3.8, and its agents',
      agents,
      found('3.2.3', split),
      { version: '3.8.5', ...url },
    ],
    [
      'one node from 2015.3 to 2016.4 with a compile master',
      large,
      found('2015.3.1', [...monolith, { id: ids.compiler, roles: ['compile-master'] }]),
      { version: '2016.4.2', ...url },
    ],
    ['a split installation from 2015.3 to 2016.4', puppet(), found('2015.3.1', split), { version: '2016.4.2', ...url }],
    ['what has its version already', puppet(), found('3.8.5', monolith), { version: '3.8.5' }],
    ['Juju 3.6', juju, jujuFound('3.6.4'), { version: '3.6.9' }],
  ])('of %s', async (name, configured, nodes, request) => {
    const upgrade = upgrading(configured, nodes, request);
    await golden(`upgrade of ${name}`, [
      ...(upgrade.isNothingToDo ? ['nothing to do'] : []),
      ...upgrade.check().map((fault) => `REFUSED: ${fault}`),
      ...upgrade.warn().map((warning) => `warning: ${warning}`),
      ...accepted(upgrade.plan()),
      '-- then, once these have the version:',
      ...accepted(upgrade.foresee()),
    ]);
  });
});
