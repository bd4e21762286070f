import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { createNode, LAB_DIRECTORY, type LabNode, type LabNodeOptions } from '../node.ts';

const SOURCES = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '');
const LAYERS = join(LAB_DIRECTORY, 'layers');

export const PE32_MASTER = 'master.pe.example.com';

/** The services of a monolithic master, in an order in which they can be started. */
export const PE32_SERVICES = [
  'pe-postgresql',
  'pe-puppetdb',
  'pe-activemq',
  'pe-memcached',
  'pe-puppet-dashboard-workers',
  'pe-mcollective',
  'pe-httpd',
  'pe-puppet',
] as const;

/** Makes a monolithic Puppet Enterprise 3.2 master from the cached layer, powered on and with no service running yet. */
export const createPe32Master = async (options: Omit<LabNodeOptions, 'hostname'>): Promise<LabNode> =>
  createNode({ ...options, hostname: PE32_MASTER, layers: [...(options.layers ?? []), await pe32Layer()] });

/** Starts what runs on a master after a boot; fails when a service does not run afterwards. */
export const startServices = async (node: LabNode): Promise<void> => {
  // The exit code of the start proves nothing: the dashboard's workers always report a failure.
  const { code, stdout, stderr } = await node.exec(
    `for service in ${PE32_SERVICES.join(' ')}; do
       service "$service" start
       service "$service" status || exit 1
     done`,
  );
  if (code !== 0) throw new Error(`${node.hostname}: ${stdout}${stderr}`);
};

/** The read-only layer of an installed master with its services stopped; built when its sources or the host's users changed. */
export const pe32Layer = async (): Promise<string> => {
  const layer = join(LAYERS, `pe32-${await fingerprint()}`);
  if (await exists(layer)) return layer;
  await mkdir(LAYERS, { recursive: true });
  const unlock = await lock(join(LAYERS, 'pe32.lock'));
  try {
    if (!(await exists(layer))) await build(layer);
  } finally {
    unlock();
  }
  return layer;
};

const build = async (layer: string): Promise<void> => {
  const node = await createNode({
    name: 'pe32-build',
    instanceId: 'i-00000000000000000',
    hostname: PE32_MASTER,
    address: '127.10.255.32',
  });
  try {
    for (const topic of ['users', 'files', 'certificates', 'databases']) {
      const { code, stdout, stderr } = await node.exec(`bash ${SOURCES}/${topic}.sh`, { timeoutSeconds: 240 });
      if (code !== 0) throw new Error(`${topic}.sh: exit ${code}\n${stdout}${stderr}`);
    }
    // A killed build leaves at most this directory, which the next one replaces.
    const partial = join(LAYERS, 'pe32.partial');
    await rm(partial, { recursive: true, force: true });
    await promisify(execFile)('cp', ['-a', node.writableLayer, partial]);
    await rename(partial, layer);
  } finally {
    await node.destroy();
  }
};

/** The layer holds a copy of the host's users, so it depends on them as well as on our own files. */
const fingerprint = async (): Promise<string> => {
  const hash = createHash('sha256');
  const entries = await readdir(SOURCES, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of [...files.sort(), '/etc/passwd', '/etc/group']) {
    hash.update(`${file}\0`).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 16);
};

/** Takes the lock of a file for as long as this process lives, at most until the returned function is called. */
const lock = async (file: string): Promise<() => void> => {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo locked; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return () => holder.stdin.end();
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
