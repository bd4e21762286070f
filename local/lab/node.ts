import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { AGENT_DIRECTORY, agentEnvironment } from '../ssm/index.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const INIT = fileURLToPath(new URL('node-init.sh', import.meta.url));

/** Where layers and the disks of nodes are kept; git ignores it. */
export const LAB_DIRECTORY = join(REPOSITORY, '.local', 'lab');

/** A loopback address for a node of this process, by a number from 1 to 254; other processes take others. */
export const ownAddress = (number: number): string =>
  `127.${10 + ((process.pid >> 8) % 200)}.${process.pid % 256}.${number}`;

/** What logins have everywhere, and services on Debian and Ubuntu. */
export const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const LOGIN_ENVIRONMENT = {
  PATH: USUAL_PATH,
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/bash',
  LANG: 'C.UTF-8',
};

/** Reports its process group on descriptor 3 before it becomes the command, so that the group can be killed from then on. */
const ANNOUNCE_GROUP = 'umask 022; echo $$ >&3; exec 3>&-; exec env -i --chdir="$0" "$@"';

export interface LabNodeOptions {
  readonly name: string;
  readonly instanceId: string;
  /** The node's fully qualified host name. */
  readonly hostname: string;
  /** An own loopback address such as 127.10.0.11: nodes share the host's network and keep their standard ports. */
  readonly address: string;
  /** More names that the node knows, with their addresses. */
  readonly hosts?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
  /** The PATH that the node's init system gives to services. Default: that of RHEL, which lacks /usr/local. */
  readonly servicePath?: string;
  /** Read-only directories that lie over the host's root, top first. */
  readonly layers?: readonly string[];
  /** Holds the node's disk, is emptied first and removed by `destroy`. Default: one of its own in the lab directory. */
  readonly directory?: string;
}

export interface ScriptExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface RunningScript {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the process itself ended; what it left in the background may still hold the streams open. */
  readonly exit: Promise<ScriptExit>;
  /** SIGKILL to the whole process group. Processes that made a session of their own survive, as they do on EC2. */
  kill(): void;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Machine {
  /** The node's first process, as the host numbers it. */
  readonly pid: number;
  /** The process of the host that ends with the first one. */
  readonly host: ChildProcess;
  readonly stopped: Promise<unknown>;
}

/**
 * Makes and boots a lab node: a copy-on-write clone of the host's root in namespaces of its own, as an EC2 instance under SSM
 * would be. Needs root. It dies with this process, however that ends.
 */
export const createNode = async (options: LabNodeOptions): Promise<LabNode> => {
  await removeDisksOfDeadOwners();
  const directory = resolve(options.directory ?? join(LAB_DIRECTORY, 'nodes', String(process.pid), options.name));
  await rm(directory, { recursive: true, force: true });
  const node = new LabNode(options, directory);
  await node.boot();
  return node;
};

export class LabNode {
  readonly instanceId: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly hostname: string;
  readonly address: string;
  readonly computerName: string;
  readonly ipAddress: string;
  readonly platformName = 'Debian GNU/Linux';
  readonly agentVersion = '3.3.2746.0';
  /** Whether the agent answers SSM; set it to false to play a node that has lost its connection. */
  online = false;
  /** How often it was booted. */
  boots = 0;

  readonly #directory: string;
  readonly #layers: readonly string[];
  readonly #hosts: string;
  readonly #servicePath: string | undefined;
  readonly #processes = new Set<Promise<unknown>>();
  #machine: Machine | undefined;

  constructor(options: LabNodeOptions, directory: string) {
    this.instanceId = options.instanceId;
    this.tags = options.tags ?? {};
    this.hostname = options.hostname;
    this.address = options.address;
    this.computerName = options.hostname;
    this.ipAddress = options.address;
    this.#directory = directory;
    this.#layers = options.layers ?? [];
    this.#servicePath = options.servicePath;
    this.#hosts = Object.entries({ [options.hostname]: options.address, ...options.hosts })
      .map(([name, address]) => `${address} ${name} ${name.split('.')[0]}\n`)
      .join('');
  }

  /** Powers the node on, with the disk as it was left; nothing runs on it but its first process. */
  async boot(): Promise<void> {
    if (this.#machine) throw new Error(`${this.hostname} is running already`);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    // `--pdeathsig` and `--kill-child` chain the node's first process, and with it all others, to the life of this one.
    const host = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child=KILL'],
        ...['sh', INIT, this.#directory, this.hostname, this.#hosts, this.#layers.join(':'), REPOSITORY],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    );
    const stopped = new Promise<string>((settle) => {
      host.once('exit', () => {
        this.#machine = undefined;
        this.online = false;
        settle('');
      });
    });
    const failure = text(host.stderr).catch(String);
    const ready = once(host.stdout, 'data').then(String);
    const [, pid] = /^ready (\d+)/.exec(await Promise.race([ready, stopped])) ?? [];
    if (pid === undefined) throw new Error(`${this.hostname} did not boot: ${await failure}`);
    // A node that is left running keeps no process alive; it dies with its owner.
    for (const handle of [host.stdout, host.stderr]) handle.destroy();
    host.unref();
    this.#machine = { pid: Number(pid), host, stopped };
    this.boots += 1;
    this.online = true;
  }

  /**
   * The host's path of a file on the running node. A symbolic link with an absolute target points to the host's file, not to
   * the node's: name the real path.
   */
  path(file: string): string {
    return join('/proc', String(this.#running.pid), 'root', file);
  }

  /** The host's path of the directory that holds all that was written on the node since it was made. */
  get writableLayer(): string {
    return `/proc/${this.#running.pid}/fd/9/.`;
  }

  /** Runs a shell command as root's login would, and waits until it and all that writes to its output has ended. */
  async exec(command: string, { timeoutSeconds = 60 } = {}): Promise<CommandResult> {
    const running = this.#enter('/root', LOGIN_ENVIRONMENT, ['sh', '-c', command]);
    const output = Promise.all([text(running.stdout), text(running.stderr), running.exit]);
    const timedOut = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      running.kill();
      running.stdout.destroy();
      running.stderr.destroy();
      timedOut.reject(new Error(`${this.hostname}: no end after ${timeoutSeconds} s: ${command}`));
    }, timeoutSeconds * 1000);
    output.catch(() => undefined);
    try {
      const [stdout, stderr, { code }] = await Promise.race([output, timedOut.promise]);
      return { code, stdout, stderr };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a script as the SSM agent does for `aws:runShellScript`: its file, directory, environment, umask and process group. */
  run(script: string, commandId: string): RunningScript {
    const directory = join(
      ...['/var/lib/amazon/ssm', this.instanceId, 'document/orchestration', commandId],
      ...['awsrunShellScript', '0.awsrunShellScript'],
    );
    const file = join(directory, '_script.sh');
    mkdirSync(this.path(directory), { recursive: true, mode: 0o700 });
    writeFileSync(this.path(file), script, { mode: 0o700 });
    const environment = agentEnvironment(this.instanceId, commandId, this.#servicePath);
    return this.#enter(AGENT_DIRECTORY, environment, ['sh', '-c', file]);
  }

  /** Goes down as a reboot begins; `boot` is its end. */
  reboot(): void {
    this.kill();
  }

  /** Cuts the power: every process of the node is gone at once, its disk stays as it is. */
  kill(): void {
    this.online = false;
    try {
      if (this.#machine) process.kill(this.#machine.pid, 'SIGKILL');
    } catch (error) {
      // Dead already, and its end not told yet.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }

  /** Cuts the power and waits until the node is down. */
  async stop(): Promise<void> {
    const machine = this.#machine;
    machine?.host.ref();
    this.kill();
    await machine?.stopped;
    await Promise.all(this.#processes);
  }

  /** Ends the node and removes its disk. */
  async destroy(): Promise<void> {
    await this.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #running(): Machine {
    if (!this.#machine) throw new Error(`${this.hostname} is powered off`);
    return this.#machine;
  }

  #nsenter(command: readonly string[], stdio: 'ignore' | ['ignore', 'pipe', 'pipe', 'pipe']): ChildProcess {
    return spawn(
      'nsenter',
      ['--target', String(this.#running.pid), '--mount', '--uts', '--ipc', '--pid', '--', ...command],
      // A group of its own: an interrupt typed at the owner's terminal is the owner's to handle.
      { stdio, detached: true },
    );
  }

  #enter(directory: string, environment: Readonly<Record<string, string>>, command: readonly string[]): RunningScript {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const child = this.#nsenter(
      ['setsid', 'sh', '-c', ANNOUNCE_GROUP, directory, ...variables, ...command],
      ['ignore', 'pipe', 'pipe', 'pipe'],
    );
    const [, stdout, stderr, announcement] = child.stdio;
    if (!(stdout instanceof Readable && stderr instanceof Readable && announcement instanceof Readable)) {
      throw new Error('a child process has no pipes');
    }
    const group = new Promise<string | undefined>((settle) => {
      announcement.once('data', (line) => settle(String(line).trim()));
      announcement.once('end', () => settle(undefined));
    });
    const exit = new Promise<ScriptExit>((settle, fail) => {
      child.once('exit', (code, signal) => settle({ code, signal }));
      child.once('error', fail);
    });
    const ended: Promise<unknown> = exit.catch(() => undefined).then(() => this.#processes.delete(ended));
    this.#processes.add(ended);

    const kill = async () => {
      const id = await group;
      // Without a machine there is nothing left to kill.
      if (id === undefined || !this.#machine) return;
      const killer = this.#nsenter(['kill', '-KILL', '--', `-${id}`], 'ignore');
      await once(killer, 'exit');
    };
    return { stdout, stderr, exit, kill: () => void kill() };
  }
}

export interface AwsConfig {
  readonly endpointUrl: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Points root's AWS CLI on a node to an endpoint, by the CLI's own configuration files. */
export const writeAwsConfig = async (node: LabNode, config: AwsConfig): Promise<void> => {
  const directory = node.path('/root/.aws');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(
    join(directory, 'config'),
    [
      '[default]',
      `region = ${config.region}`,
      `endpoint_url = ${config.endpointUrl}`,
      's3 =',
      '  addressing_style = path',
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  await writeFile(
    join(directory, 'credentials'),
    [
      '[default]',
      `aws_access_key_id = ${config.accessKeyId}`,
      `aws_secret_access_key = ${config.secretAccessKey}`,
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
};

/** A killed owner takes its nodes along but leaves their disks behind. */
const removeDisksOfDeadOwners = async (): Promise<void> => {
  const nodes = join(LAB_DIRECTORY, 'nodes');
  await mkdir(nodes, { recursive: true });
  for (const owner of await readdir(nodes)) {
    const alive = await stat(join('/proc', owner)).then(
      () => true,
      () => false,
    );
    if (!alive) await rm(join(nodes, owner), { recursive: true, force: true });
  }
};
