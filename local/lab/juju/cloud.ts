import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import type { LabNode } from '../node.ts';
import { bootJujuNode, createJujuNode, type JujuEra } from './node.ts';

/**
 * Stands in for the cloud as Juju sees it, on a loopback port: starts instances, says which there are, and holds the objects of
 * the control bucket, in which Juju 1.x keeps `provider-state`. Speaks three languages:
 *
 *     POST /instances, GET /instances, DELETE /instances/ID    the stand-ins for Juju
 *     GET, HEAD, PUT, DELETE /BUCKET/KEY                       S3, as `aws s3api` and `aws s3 cp` need it
 *     POST / with Action=DescribeInstances                     EC2, as `aws ec2 describe-instances` needs it
 *
 * Instances are running, stopped or terminated by the methods below alone.
 */

export interface CloudOptions {
  /** The era of the images. */
  readonly era: JujuEra;
  /** Three bytes of loopback addresses that belong to this lab alone, such as 127.20.1. */
  readonly network: string;
  /** Tags that an operator gives the first instances. Later ones are as Juju makes them: up to 1.23 without any, and unknown to SSM. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Ids of the first instances by their machines: `client`, `0`, `1`, of 2.x and later also `default:0`. */
  readonly instanceIds?: Readonly<Record<string, string>>;
  /** Called for each instance that SSM manages, as soon as it does. */
  readonly onManaged?: (node: LabNode) => void | Promise<void>;
}

const FirstBoot = z.object({
  machine: z.string(),
  name: z.string(),
  files: z.array(z.object({ path: z.string(), mode: z.int(), content: z.string() })).default([]),
  tags: z.record(z.string(), z.string()).default({}),
  constraints: z.string().default(''),
});
type FirstBoot = z.infer<typeof FirstBoot>;

export type InstanceState = 'running' | 'stopped' | 'terminated';

interface Instance {
  readonly machine: string;
  readonly node: LabNode;
  readonly tags: Record<string, string>;
  /** What it was asked to have. */
  readonly constraints: string;
  /** It has an agent of SSM and a profile that allows it. */
  managed: boolean;
  state: InstanceState;
}

/** Starts a cloud without instances. */
export const startCloud = async (options: CloudOptions): Promise<JujuCloud> => {
  const cloud = new JujuCloud(options);
  await cloud.listen();
  return cloud;
};

export class JujuCloud {
  /** Files below /etc/juju-lab of the instances that are started from now on. */
  readonly faults: Record<string, string> = {};
  readonly #options: CloudOptions;
  readonly #instances: Instance[] = [];
  readonly #objects = new Map<string, Buffer>();
  readonly #server: Server;
  #launches = 0;
  #isSetUp = false;

  constructor(options: CloudOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
    });
    this.#server.unref();
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Host and port. */
  get address(): string {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the cloud does not listen');
    return `127.0.0.1:${bound.port}`;
  }

  /** All instances that were not terminated. */
  get nodes(): LabNode[] {
    return this.#instances.filter(({ state }) => state !== 'terminated').map(({ node }) => node);
  }

  /** Those that SSM manages. */
  get managed(): LabNode[] {
    return this.#instances.filter(({ managed, state }) => managed && state !== 'terminated').map(({ node }) => node);
  }

  /** The newest instance of a machine that was not terminated. */
  machine(name: string): LabNode {
    const found = this.#instances.findLast(({ machine, state }) => machine === name && state !== 'terminated');
    if (!found) throw new Error(`there is no machine ${name}`);
    return found.node;
  }

  /** Starts an instance, which becomes a machine by what it gets with its first boot. */
  async launch(firstBoot: Partial<FirstBoot> & Pick<FirstBoot, 'machine' | 'name'>): Promise<LabNode> {
    const { machine, name, files, tags, constraints } = FirstBoot.parse(firstBoot);
    const { era, network, instanceIds = {}, tags: everywhere } = this.#options;
    const number = 11 + this.#launches++;
    const known = instanceIds[machine];
    const free = known !== undefined && this.#instances.every(({ node }) => node.instanceId !== known);
    const named = this.#isSetUp && era === '1.20' ? {} : { Name: name, ...tags };
    const own: Record<string, string> = { ...named, ...(this.#isSetUp ? {} : everywhere) };
    const node = await createJujuNode({
      era,
      provider: this.address,
      name: `juju-${network}.${number}`,
      instanceId: free ? known : `i-${randomBytes(9).toString('hex').slice(1)}`,
      hostname: `${name}.juju.example.com`,
      address: `${network}.${number}`,
      tags: own,
      faults: this.faults,
      files,
    });
    this.#instances.push({ machine, node, tags: own, constraints, managed: false, state: 'running' });
    if (!this.#isSetUp) await this.takeIn(node, {});
    return node;
  }

  /** From now on instances get nothing but what Juju gives them. */
  setUp(): void {
    this.#isSetUp = true;
  }

  /** Gives an instance tags, and what SSM needs to manage it, as an operator does. */
  async takeIn(node: LabNode, tags: Readonly<Record<string, string>>): Promise<void> {
    const found = this.#find(node);
    Object.assign(found.tags, tags);
    if (found.managed) return;
    found.managed = true;
    await this.#options.onManaged?.(node);
  }

  /** Powers an instance off; its disk stays. */
  async stop(node: LabNode): Promise<void> {
    this.#find(node).state = 'stopped';
    await node.stop();
  }

  /** Powers a stopped instance on again. */
  async start(node: LabNode): Promise<void> {
    await bootJujuNode(node);
    this.#find(node).state = 'running';
  }

  /** Ends an instance for ever. */
  async terminate(node: LabNode): Promise<void> {
    this.#find(node).state = 'terminated';
    await node.destroy();
  }

  state(instanceId: string): InstanceState | undefined {
    return this.#instances.find(({ node }) => node.instanceId === instanceId)?.state;
  }

  /** What an instance was asked to have when it was launched. */
  constraintsOf(node: LabNode): string {
    return this.#find(node).constraints;
  }

  /** An object of a bucket, by `BUCKET/KEY`. */
  object(name: string): Buffer | undefined {
    return this.#objects.get(`/${name}`);
  }

  async destroy(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const node of this.nodes) await this.terminate(node);
  }

  #find(node: LabNode): Instance {
    const found = this.#instances.find((instance) => instance.node === node);
    if (!found) throw new Error(`${node.hostname} is none of this cloud's instances`);
    return found;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://cloud');
    const [, collection, name] = pathname.split('/');
    if (collection === '') return this.#answerEc2(new URLSearchParams(await text(request)), response);
    if (collection !== 'instances') return this.#answerS3(request, pathname, response);
    switch (request.method) {
      case 'POST': {
        const node = await this.launch(FirstBoot.parse(JSON.parse(await text(request))));
        return void response.end(JSON.stringify({ instanceId: node.instanceId, address: node.address }));
      }
      case 'DELETE':
        for (const { node } of this.#instances.filter(({ node }) => node.instanceId === name))
          await this.terminate(node);
        return void response.end();
      default:
        return void response.end(
          JSON.stringify(
            this.#instances.map(({ node, state }) => ({ instanceId: node.instanceId, address: node.address, state })),
          ),
        );
    }
  }

  async #answerS3(request: IncomingMessage, path: string, response: ServerResponse): Promise<void> {
    const parts = await request.toArray();
    if (request.method === 'PUT') {
      this.#objects.set(path, Buffer.concat(parts));
      return void response.end();
    }
    if (request.method === 'DELETE') {
      this.#objects.delete(path);
      return void response.writeHead(204).end();
    }
    const object = this.#objects.get(path);
    if (!object) return void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
    response.writeHead(200, {
      'content-length': object.length,
      'last-modified': new Date().toUTCString(),
      etag: '"0"',
    });
    response.end(request.method === 'HEAD' ? undefined : object);
  }

  #answerEc2(query: URLSearchParams, response: ServerResponse): void {
    const action = query.get('Action');
    if (action !== 'DescribeInstances') return void response.writeHead(400).end(ec2Error('InvalidAction'));
    const ids = [...query].filter(([name]) => name.startsWith('InstanceId.')).map(([, id]) => id);
    if (ids.some((id) => this.state(id) === undefined)) {
      return void response.writeHead(400).end(ec2Error('InvalidInstanceID.NotFound'));
    }
    const items = this.#instances.filter(({ node }) => ids.length === 0 || ids.includes(node.instanceId)).map(ec2Item);
    response.end(
      `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>lab</requestId>` +
        `<reservationSet>${items.join('')}</reservationSet></DescribeInstancesResponse>`,
    );
  }
}

const ec2Error = (code: string): string =>
  `<Response><Errors><Error><Code>${code}</Code><Message>${code}</Message></Error></Errors><RequestID>lab</RequestID></Response>`;

const stateCodes = { running: 16, terminated: 48, stopped: 80 } as const;

const ec2Item = ({ node, state }: Instance): string => {
  const tags = Object.entries(node.tags).map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`);
  return (
    `<item><reservationId>r-${node.instanceId.slice(2)}</reservationId><instancesSet><item>` +
    `<instanceId>${node.instanceId}</instanceId>` +
    `<instanceState><code>${stateCodes[state]}</code><name>${state}</name></instanceState>` +
    `<privateIpAddress>${node.address}</privateIpAddress><tagSet>${tags.join('')}</tagSet>` +
    `</item></instancesSet></item>`
  );
};
