import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandResult, LabNode } from '../node.ts';
import { type CloudOptions, type JujuCloud, startCloud } from './cloud.ts';
import { check, expectSuccess } from './node.ts';

/**
 * The lab of Juju: nodes with stand-ins for Juju, MongoDB, upstart, systemd and ssh (`root/usr/lib/juju-lab`), which make up
 * an environment (1.x) or a controller (2.x and later) by the stand-in for `juju bootstrap` itself.
 */

export interface JujuLabOptions extends CloudOptions {
  /** The environment's or the controller's name. */
  readonly name?: string;
  /** State servers or controllers, 1 or 3. */
  readonly controllers?: 1 | 3;
  /** Machines with an agent and nothing else. */
  readonly machines?: number;
}

export interface JujuLab {
  readonly cloud: JujuCloud;
  readonly client: LabNode;
  /** Runs a command line as ubuntu on the client, in ubuntu's home. */
  juju(command: string): Promise<CommandResult>;
  /** The living instance of a machine, as `0`, or `default:0` of another than the controller's model. */
  machine(name: string): LabNode;
  /** Waits until the agents of all machines report to the API. */
  agentsStarted(timeoutSeconds?: number): Promise<void>;
  destroy(): Promise<void>;
}

/** Makes a client and bootstraps an environment or controller from it; all agents report when it returns. */
export const createJuju = async (options: JujuLabOptions): Promise<JujuLab> => {
  const { era, name = 'my-env', controllers = 1, machines = 0 } = options;
  const cloud = await startCloud(options);
  try {
    const client = await cloud.launch({ machine: 'client', name: 'juju-client' });
    const home = '/home/ubuntu';
    const juju = (command: string): Promise<CommandResult> =>
      client.exec(
        `cd ${home} && HOME=${home} PATH=$PATH:/snap/bin setpriv --reuid ubuntu --regid ubuntu --init-groups bash -c ${quote(command)}`,
        { timeoutSeconds: 120 },
      );
    const succeed = async (command: string): Promise<string> => expectSuccess(command, await juju(command));
    const lab: JujuLab = {
      cloud,
      client,
      juju,
      machine: (machine) => cloud.machine(machine),
      agentsStarted: async (timeoutSeconds = 60) => {
        const deadline = Date.now() + timeoutSeconds * 1000;
        while (!(await juju('juju-lab-ready')).stdout.includes('ready')) {
          if (Date.now() > deadline)
            throw new Error(
              `not all agents report: ${(await juju('juju-lab-ready; juju status --format json')).stdout}`,
            );
          await delay(250);
        }
      },
      destroy: () => cloud.destroy(),
    };
    if (era.startsWith('1.')) {
      await succeed('install -d -m 0700 .juju');
      await writeFile(client.path(`${home}/.juju/environments.yaml`), environments(name));
      await check(client, `chown ubuntu:ubuntu ${home}/.juju/environments.yaml`);
    }
    await succeed(era.startsWith('1.') ? `juju bootstrap -e ${name}` : `juju bootstrap aws ${name}`);
    if (controllers > 1) {
      await succeed(
        era.startsWith('1.') ? `juju ensure-availability -n ${controllers}` : `juju enable-ha -n ${controllers}`,
      );
    }
    if (machines > 0) await succeed(`juju add-machine -n ${machines}`);
    await lab.agentsStarted();
    cloud.setUp();
    return lab;
  } catch (error) {
    await cloud.destroy();
    throw error;
  }
};

/** The client's environments.yaml: the environment, which is the default, and another that was never bootstrapped. */
const environments = (name: string): string =>
  [
    `default: ${name}`,
    'environments:',
    ...[name, 'other-env'].flatMap((each) => [
      `  ${each}:`,
      '    type: ec2',
      '    region: us-east-1',
      '    access-key: lab-access-key',
      '    secret-key: lab-secret-key',
      `    control-bucket: juju-control-${each}`,
      '    default-series: trusty',
    ]),
    '',
  ].join('\n');

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
