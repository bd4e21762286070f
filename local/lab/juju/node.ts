import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandResult, createNode, type LabNode, type LabNodeOptions, USUAL_PATH } from '../node.ts';

const INSTALL = fileURLToPath(new URL('install.sh', import.meta.url));
const LIBRARY = '/usr/lib/juju-lab';

export const jujuEras = ['1.20', '1.25', '2.9', '3.6'] as const;
/** One era for each way of backing up and restoring; the exact versions are in `lab/node.py`. */
export type JujuEra = (typeof jujuEras)[number];

export interface FirstBootFile {
  readonly path: string;
  readonly mode: number;
  /** In base64. */
  readonly content: string;
}

export interface JujuNodeOptions extends LabNodeOptions {
  readonly era: JujuEra;
  /** Host and port of the cloud that its Juju talks to. */
  readonly provider: string;
  /** Files below /etc/juju-lab by their names: faults that the stand-ins play. */
  readonly faults?: Readonly<Record<string, string>>;
  /** What a new machine gets with its first boot; without any the node is a client. */
  readonly files?: readonly FirstBootFile[];
}

/** Makes a node with the stand-ins of an era, powered on, with its services running. */
export const createJujuNode = async (options: JujuNodeOptions): Promise<LabNode> => {
  const { era, provider, faults = {}, files = [], ...place } = options;
  const node = await createNode({ ...place, servicePath: USUAL_PATH });
  try {
    await check(node, `bash ${INSTALL} ${era} ${place.address} ${place.instanceId} ${provider}`);
    for (const [fault, content] of Object.entries(faults))
      await writeFile(node.path(`/etc/juju-lab/${fault}`), content);
    for (const { path, mode, content } of files) {
      await mkdir(dirname(node.path(path)), { recursive: true });
      await writeFile(node.path(path), Buffer.from(content, 'base64'), { mode });
    }
    if (files.length > 0) await check(node, `${LIBRARY}/bin/jujud first-boot`);
    return node;
  } catch (error) {
    await node.destroy();
    throw error;
  }
};

/** Powers a node on again and starts its services. */
export const bootJujuNode = async (node: LabNode): Promise<void> => {
  await node.boot();
  await check(node, `${LIBRARY}/bin/boot ${node.address}`);
};

/** What a command printed; an error when it failed. */
export const expectSuccess = (command: string, { code, stdout, stderr }: CommandResult): string => {
  if (code !== 0) throw new Error(`${command}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
};

/** Runs a command as root and returns what it printed; an error when it failed. */
export const check = async (node: LabNode, command: string): Promise<string> =>
  expectSuccess(command, await node.exec(command, { timeoutSeconds: 120 }));
