import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { controlCredentials, type S3Credentials } from './session.ts';

const binary = fileURLToPath(new URL('../../.local/bin/versitygw', import.meta.url));

/** The server's own form of accounts. Users may do only what a bucket's policy allows them. */
const accounts = (users: readonly S3Credentials[]) => ({
  accessAccounts: Object.fromEntries(
    users.map(({ accessKeyId: access, secretAccessKey: secret }) => [
      access,
      { access, secret, role: 'user', userID: 0, groupID: 0, projectID: 0 },
    ]),
  ),
});

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
};

const answers = async (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    () => true,
    () => false,
  );

/** Starts the S3 server on a directory, with accounts for the nodes; docs/adr/0001-local-s3-server.md says why this one. */
export const startS3 = async (
  directory: string,
  users: readonly S3Credentials[],
): Promise<{ url: string; close(): Promise<void> }> => {
  const [data = '', versions = '', metadata = '', iam = ''] = ['data', 'versions', 'metadata', 'iam'].map((name) =>
    join(directory, name),
  );
  for (const path of [data, versions, metadata, iam]) await mkdir(path, { recursive: true });
  await writeFile(join(iam, 'users.json'), JSON.stringify(accounts(users)), { mode: 0o600 });
  const port = await freePort();
  const log = join(directory, 'server.log');
  const output = openSync(log, 'w');
  const server = spawn(
    binary,
    [
      ...['--port', `127.0.0.1:${port}`, '--region', 'us-east-1', '--quiet', '--keep-alive', '--iam-dir', iam],
      ...['posix', '--sidecar', metadata, '--versioning-dir', versions, data],
    ],
    {
      stdio: ['ignore', output, output],
      env: {
        ...process.env,
        ROOT_ACCESS_KEY: controlCredentials.accessKeyId,
        ROOT_SECRET_KEY: controlCredentials.secretAccessKey,
      },
    },
  );
  // It goes with its owner, however that ends.
  const end = (): void => void server.kill('SIGKILL');
  process.once('exit', end);
  const exited = once(server, 'exit');
  const url = `http://127.0.0.1:${port}`;
  while (!(await answers(url))) {
    if (server.exitCode !== null) throw new Error(`the S3 server did not start: ${await readFile(log, 'utf8')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    url,
    close: async () => {
      process.off('exit', end);
      server.kill('SIGTERM');
      await exited;
    },
  };
};
