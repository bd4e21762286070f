import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const tools = join(repository, 'node_modules', '.bin');

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
};

/** An AWS emulator into which the CDK deploys as into an account. */
export interface Emulator {
  readonly url: string;
  /** Runs the CDK's command line against it. */
  cdk(...words: string[]): Promise<string>;
  close(): Promise<void>;
}

/** Starts MiniStack; its lambdas reach Run Command and KMS at other addresses: it runs no command, and knows no key that makes MACs. */
export const startEmulator = async (
  directory: string,
  elsewhere: { readonly runCommand: string; readonly kms: string },
  holdfastFile: string,
): Promise<Emulator> => {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = join(directory, 'emulator.log');
  const output = openSync(log, 'w');
  const shared = {
    HOME: directory,
    PATH: `${tools}:${process.env['PATH']}`,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
  };
  const server = spawn(join(repository, '.local', 'emulator', 'bin', 'ministack'), [], {
    cwd: directory,
    stdio: ['ignore', output, output],
    detached: true,
    env: {
      ...{ ...shared, GATEWAY_PORT: String(port), BIND_HOST: '127.0.0.1' },
      ...{ AWS_ENDPOINT_URL_SSM: elsewhere.runCommand, AWS_ENDPOINT_URL_KMS: elsewhere.kms },
    },
  });
  // Its lambdas are processes of their own: the whole group goes with us.
  const end = (): void => {
    if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, 'SIGKILL');
  };
  process.once('exit', end);
  const exited = once(server, 'exit');
  for (;;) {
    if (server.exitCode !== null) throw new Error(`the emulator did not start: ${await readFile(log, 'utf8')}`);
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    cdk: async (...words) => {
      const { stdout, stderr } = await promisify(execFile)(
        join(tools, 'cdk'),
        [...words, '--output', join(directory, 'cdk.out')],
        { cwd: repository, maxBuffer: 2 ** 26, env: { ...shared, AWS_ENDPOINT_URL: url, HOLDFAST_FILE: holdfastFile } },
      );
      return stdout + stderr;
    },
    close: async () => {
      process.off('exit', end);
      end();
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
};
