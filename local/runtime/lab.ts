import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '#domain/config';
import { parseConfig } from '#domain/config-file';
import { tagKeys } from '#domain/naming';
import { LAB_DIRECTORY, type LabNode, writeAwsConfig } from '../lab/node.ts';
import { createPe32Master, startServices } from '../lab/pe32/layer.ts';
import { type Runtime, type RuntimeOptions, region, startRuntime } from './index.ts';

/** A lab: the local runtime with nodes that it can back up. */
export interface Lab {
  readonly runtime: Runtime;
  readonly config: Config;
  /** The nodes by the id of their system. */
  readonly nodes: Readonly<Record<string, LabNode>>;
  close(): Promise<void>;
}

export interface LabOptions
  extends Partial<Pick<RuntimeOptions, 'judge' | 'port' | 'clock' | 'onStatusChange' | 'pollMilliseconds'>> {
  /** The text of a holdfast.yaml. Each system's first node becomes a monolithic PE 3.2 master. */
  readonly configuration: string;
  readonly onProgress?: (what: string) => void;
}

/** Node and S3 account of a system; the address makes its standard ports its own. */
const placed = (system: string, index: number, config: Config) => {
  const selector = config.systems[system]?.nodes[0];
  const suffix = String(index + 11);
  return {
    name: `${process.pid}-${system}`,
    instanceId: selector && 'instance' in selector ? selector.instance : `i-0123456789abcde${suffix}`,
    address: `127.10.${process.pid % 200}.${suffix}`,
    tags: {
      [tagKeys.system]: system,
      ...(selector && 'tag' in selector && { [selector.tag.key]: selector.tag.value }),
    },
    account: { system, accessKeyId: `NODE${suffix}`, secretAccessKey: `node-secret-${suffix}` },
  };
};

/** Starts a lab; it lives until it is closed, or until this process ends. */
export const startLab = async ({
  configuration,
  onProgress = () => undefined,
  ...options
}: LabOptions): Promise<Lab> => {
  const config = parseConfig(configuration);
  const directory = join(LAB_DIRECTORY, 'runtime', String(process.pid));
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const nodes: Record<string, LabNode> = {};
  const places = Object.keys(config.systems).map((system, index) => ({ system, ...placed(system, index, config) }));
  onProgress('starting S3, Run Command and Step Functions');
  const runtime = await startRuntime({
    ...options,
    config,
    directory,
    instances: () => Object.values(nodes),
    accounts: places.map(({ account }) => account),
  });
  const close = async (): Promise<void> => {
    await runtime.close();
    for (const node of Object.values(nodes)) await node.destroy();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    for (const { system, account, ...place } of places) {
      onProgress(`starting the Puppet Enterprise 3.2 master of ${system}`);
      const node = await createPe32Master(place);
      nodes[system] = node;
      await writeAwsConfig(node, { endpointUrl: runtime.url, region, ...account });
      await startServices(node);
      node.online = true;
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { runtime, config, nodes, close };
};
