import { execFileSync } from 'node:child_process';
import { fetchArtifact, finishRestore } from '#domain/contracts/shared';
import { Collected, type Upload, uploadsOf } from '#domain/manifest';
import { countRows, dumpDatabase, restoreDatabase, swapDatabases } from '#domain/systems/puppet-documents';
import { fieldsOf } from '#domain/systems/puppet-restore';
import { fetchedName } from '#domain/systems/puppet-restore-scope';
import { type LabNode, writeAwsConfig } from '../local/lab/node.ts';
import type { Lab } from '../local/runtime/lab.ts';
import { controlCredentials } from '../local/runtime/session.ts';
import { type Contender, contest, runDocument, shell } from './contest.ts';

/** One database on its way into the vault and back, against the rivals that do the same. */

/** About 1.2 GiB of text as PuppetDB keeps it: JSON with names that recur and digests that do not, and indexes. */
const fill = `
CREATE DATABASE bench;
\\c bench
CREATE TABLE resources AS
SELECT n AS id, md5(n::text) AS catalog,
  '{"type":"File","title":"/etc/app/conf.d/' || n % 5000 || '.conf","tags":["file","class","app","profile::base"],"exported":false,'
  || '"parameters":{"ensure":"file","owner":"root","group":"root","mode":"0644","content":"{md5}' || md5(random()::text) || '",'
  || '"require":["Package[app-' || n % 300 || ']","Class[Profile::Base]"],"notify":"Service[app-' || n % 300 || ']","checksum":"'
  || md5((n * 7)::text) || md5(random()::text) || '"},"file":"/etc/puppetlabs/puppet/modules/app/manifests/init.pp","line":' || n % 400
  || ',"environment":"production","certname":"node' || n % 3000 || '.example.com","log":"' || repeat('notice: applied in ' || n % 97 || ' seconds ', 8) || '"}' AS resource
FROM generate_series(1, 1400000) AS n;
ALTER TABLE resources ADD PRIMARY KEY (id);
CREATE INDEX ON resources (catalog);
CHECKPOINT;
`;

export interface DatabaseBench {
  readonly rawBytes: number;
  /** The limit first, then Holdfast. */
  readonly dumps: readonly Contender[];
  /** The limit first, then Holdfast. */
  readonly restores: readonly Contender[];
}

const asPostgres = (command: string): string => `su -s /bin/bash pe-postgres -c 'cd / && ${command}'`;
const tool = (name: string): string => `/opt/puppet/bin/${name}`;

const installRestic = async (node: LabNode, tell: (what: string) => void): Promise<void> => {
  if ((await node.exec('command -v restic')).code === 0) return;
  tell('installing restic');
  execFileSync('apt-get', ['-q', '-y', 'install', '--no-install-recommends', 'restic'], { stdio: 'ignore' });
};

/** Runs every contender on the same database and S3 server, taking turns. */
export const benchDatabase = async (lab: Lab, node: LabNode, tell: (what: string) => void): Promise<DatabaseBench> => {
  await installRestic(node, tell);
  // Straight to the S3 server, with rights for all: the gateway's share of two cores is not a node's.
  await writeAwsConfig(node, { endpointUrl: lab.runtime.s3Url, region: 'us-east-1', ...controlCredentials });
  await shell(
    node,
    'for s in pe-httpd pe-puppet pe-puppetdb pe-puppet-dashboard-workers pe-mcollective pe-activemq; do service $s stop; done >/dev/null 2>&1; true',
  );
  tell('filling a database');
  await shell(
    node,
    `${asPostgres(`${tool('psql')} -q -v ON_ERROR_STOP=1 -d postgres`)} <<'SQL' >/dev/null\n${fill}\nSQL`,
  );
  const dump = asPostgres(`${tool('pg_dump')} -Fc -Z0 bench`);
  const rawBytes = Number(await shell(node, `${dump} | wc -c`));
  const vault = `s3://${lab.runtime.vaultBucket}`;
  const repository = `export AWS_ACCESS_KEY_ID=${controlCredentials.accessKeyId} AWS_SECRET_ACCESS_KEY=${controlCredentials.secretAccessKey} RESTIC_PASSWORD=bench RESTIC_REPOSITORY=s3:${lab.runtime.s3Url}/${lab.runtime.vaultBucket}/restic`;
  let uploads: readonly Upload[] = [];
  const dumps = await contest(
    [
      { name: 'the limit: pg_dump -Fc -Z0 to /dev/null', work: () => shell(node, `${dump} >/dev/null`) },
      {
        name: 'Holdfast: verified, counted, zstd, streamed',
        work: async (round) => {
          const answer = await runDocument(node, dumpDatabase, `bench-${round}`, {
            Bucket: lab.runtime.vaultBucket,
            Key: `backups/pe-main/bench-${round}/node/dump`,
            ExpectedBytes: rawBytes,
            Database: 'bench',
          });
          uploads = uploadsOf(Collected.parse(JSON.parse(answer)));
        },
      },
      {
        name: 'the manual: pg_dump --create to a file, tar, gzip, upload',
        work: (round) =>
          shell(
            node,
            `d=$(mktemp -d) && ${asPostgres(`${tool('pg_dump')} bench --create`)} >$d/bench.backup && tar -C $d -czf $d/bench.tar.gz bench.backup && aws s3 cp --only-show-errors $d/bench.tar.gz ${vault}/manual-${round} && rm -r $d`,
          ),
      },
      {
        name: 'pg_dump -Fc piped to the AWS CLI',
        work: (round) =>
          shell(
            node,
            `${dump.replace(' -Z0', '')} | aws s3 cp --only-show-errors - ${vault}/piped-${round} --expected-size ${rawBytes}`,
          ),
      },
      {
        name: 'pg_dump -Fc -Z0 into restic (Debian)',
        // A repository of its own each round: otherwise the second round would find every block there.
        work: (round) =>
          shell(
            node,
            `${repository}-${round}; restic init >/dev/null; ${dump} | restic backup --quiet --stdin --stdin-filename bench`,
          ),
      },
    ],
    tell,
  );

  await shell(node, `${dump} >/var/tmp/bench.dump && chmod a+r /var/tmp/bench.dump`);
  const fetch = (run: string, { key, bytes, sha256, compression }: Upload): Promise<string> =>
    runDocument(node, fetchArtifact, run, {
      Bucket: lab.runtime.vaultBucket,
      Object: key,
      // The bucket of a bench keeps no versions.
      VersionId: 'null',
      Bytes: bytes,
      Sha256: sha256,
      Compression: compression,
      Name: fetchedName(key),
    });
  const [stored, contents] = uploads;
  if (!stored || !contents) throw new Error('Holdfast has stored no dump');
  const drop = (database: string): Promise<string> =>
    shell(
      node,
      `rm -rf /var/lib/holdfast/restore; ${asPostgres(`${tool('dropdb')} --if-exists ${database}`)} && ${asPostgres(`${tool('psql')} -q -d postgres -c CHECKPOINT`)}`,
    );
  const spec = fieldsOf({
    ...{ name: 'bench', owner: 'pe-postgres', publicOwner: 'pg_database_owner', tablespace: 'pg_default' },
    ...{ encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8', bytes: 0, rowsEstimated: 0, acl: '', comment: '' },
    ...{ connectionLimit: -1, isTemplate: false, settings: [], extensions: ['plpgsql'] },
  });
  const restores = await contest(
    [
      {
        name: 'the limit: pg_restore -j from local disk',
        before: async () => {
          await drop('limit');
          await shell(node, asPostgres(`${tool('createdb')} -T template0 limit`));
        },
        work: () => shell(node, asPostgres(`${tool('pg_restore')} -j $(nproc) -d limit /var/tmp/bench.dump`)),
      },
      {
        name: 'Holdfast: fetched, checked, restored, analysed, rows compared',
        before: () => drop('limit'),
        work: async (round) => {
          const run = `bench-${round}`;
          await Promise.all([fetch(run, stored), fetch(run, contents)]);
          await runDocument(node, restoreDatabase, run, {
            Name: fetchedName(stored.key),
            Contents: fetchedName(contents.key),
            Spec: spec,
          });
          await runDocument(node, swapDatabases, run, { Databases: ['bench'] });
          const { different } = JSON.parse(
            await runDocument(node, countRows, run, { Name: fetchedName(contents.key), Database: 'bench' }),
          );
          if (different !== '') throw new Error(`the restored rows are not those of the backup: ${different}`);
          await runDocument(node, finishRestore, run, {});
        },
      },
      {
        name: 'Holdfast: restore-database alone',
        before: async () => {
          await drop('limit');
          await fetch('bench-alone', stored);
        },
        work: () =>
          runDocument(node, restoreDatabase, 'bench-alone', {
            Name: fetchedName(stored.key),
            Contents: fetchedName(contents.key),
            Spec: spec,
          }),
      },
      {
        name: 'the manual: download, untar, psql -f',
        before: () => drop('bench'),
        work: (round) =>
          shell(
            node,
            `d=$(mktemp -d -p /var/tmp) && aws s3 cp --only-show-errors ${vault}/manual-${round} $d/bench.tar.gz && tar -C $d -xzf $d/bench.tar.gz && chmod -R a+rX $d && ${asPostgres(`${tool('psql')} -q -v ON_ERROR_STOP=1 -d postgres`)} <$d/bench.backup >/dev/null && rm -r $d`,
          ),
      },
    ],
    tell,
  );
  return { rawBytes, dumps, restores };
};
