import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PuppetManifest } from '#domain/manifest';
import { instanceArn, vaultKeys } from '#domain/naming';
import { controlEnvironment } from '#local/runtime/session';
import { type Bench, instanceId, monolithic, noTraces, startBench } from './harness.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await startBench({ configuration: monolithic('quiesced') });
});
afterAll(() => bench.close());

/** The commands of the README's section on getting a backup back, for one backup. */
const commands = (location: string): string => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const section = readme.slice(readme.indexOf('## Getting it back by hand'));
  const block = /```\n(B=[\s\S]*?)```/.exec(section)?.[1];
  if (block === undefined) throw new Error('the README has no commands for a restore');
  return block.replace(/^B=.*$/m, `B=${location}`);
};

/** What a restore must bring back: rows, owners, tablespaces and grants, and the certificate authority. Its serial goes on. */
const essence = ({ artifacts, nodes }: PuppetManifest) => ({
  rows: artifacts.flatMap(({ collected }) =>
    // The writers of PuppetDB go on after the restore, before this is read.
    collected.kind === 'database' && collected.database !== 'pe-puppetdb' ? [[collected.database, collected.rows]] : [],
  ),
  databases: nodes[0]?.inspection.postgres?.databases.map(({ name, owner, tablespace, encoding, acl, extensions }) => ({
    name,
    owner,
    tablespace,
    encoding,
    acl,
    extensions,
  })),
  fingerprint: nodes[0]?.inspection.certificateAuthority?.fingerprint,
});

it('a backup comes back by the commands of the README, and what happened after it is gone', async () => {
  const before = await bench.backUp();
  expect(before.status).toBe('SUCCEEDED');
  const manifest = await bench.manifest(before.output.backup ?? '');
  const psql = 'su -s /bin/bash pe-postgres -c "cd / && /opt/puppet/bin/psql -A -t -q';
  await bench.shell(`${psql} -d console -c 'CREATE TABLE made_after_the_backup (n int)'"`);
  await bench.shell(`${psql} -d console_auth -c 'DELETE FROM users'"`);
  await bench.shell('rm -rf /etc/puppetlabs/puppet/ssl/ca');

  const location = `s3://${bench.lab.runtime.vaultBucket}/${vaultKeys.artifact('pe-main', manifest.backup, instanceArn(bench.lab.runtime.stateMachineArn('holdfast-backup'), instanceId), '').slice(0, -1)}`;
  const operator = `export ${Object.entries(controlEnvironment)
    .map((variable) => variable.join('='))
    .join(' ')}`;
  await writeFile(bench.node.path('/root/restore.sh'), `${operator}\n${commands(location)}`);
  const { stderr } = await bench.node.exec('bash /root/restore.sh');
  expect(stderr.match(/ERROR:.*|error:.*/g)).toEqual(['ERROR:  role "pe-postgres" already exists']);

  expect(await bench.shell(`${psql} -d console -c '\\\\dt'"`)).not.toContain('made_after_the_backup');
  const after = await bench.backUp();
  expect(after.status).toBe('SUCCEEDED');
  const back = await bench.manifest(after.output.backup ?? '');
  expect(essence(back)).toEqual(essence(manifest));
  const serial = (of: PuppetManifest) => Number(`0x${of.nodes[0]?.inspection.certificateAuthority?.serial}`);
  expect(serial(back)).toBe(serial(manifest) + 1000);
  expect(await bench.traces()).toMatchObject({ lock: noTraces.lock, onNode: '', servicesDown: [] });
});
