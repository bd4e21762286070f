import type { Readable } from 'node:stream';

/** What the stand-in needs of a managed instance. The lab's nodes implement it; tests use a plain local process. */
export interface ManagedInstance {
  /** As EC2 writes it, `i-0123456789abcdef0`. */
  readonly instanceId: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly computerName: string;
  readonly ipAddress: string;
  readonly platformName: string;
  readonly agentVersion: string;
  /** False while the agent does not answer: nothing is delivered to it and nothing is reported by it. */
  readonly online: boolean;
  /** How often it was started again. */
  readonly boots: number;
  /** Shuts it down, as its system does when a script asks for a reboot; whoever plays the cloud starts it again. */
  reboot?(): void;
  /**
   * Writes the script below the agent's orchestration directory (root's, 0700) and runs it as the agent does: `sh -c <path>` in
   * a process group of its own, in the directory and with the environment of the agent.
   */
  run(script: string, commandId: string): RunningScript;
}

export interface RunningScript {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the script's own process is gone, whatever still runs in its group. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** SIGKILL to the whole process group: no trap runs. */
  kill(): void;
}

/** Where an agent under systemd works, and its scripts with it. */
export const AGENT_DIRECTORY = '/usr/bin';

/** What RHEL's init gives to services. */
const INIT_PATH = '/sbin:/usr/sbin:/bin:/usr/bin';

/** What a script finds around it: all that the agent has of its init system, and what it adds. No HOME. */
export const agentEnvironment = (instanceId: string, commandId: string, path = INIT_PATH) => ({
  PATH: path,
  LANG: 'en_US.UTF-8',
  INVOCATION_ID: 'f00dfeedf00dfeedf00dfeedf00dfeed',
  JOURNAL_STREAM: '9:12345',
  SSM_COMMAND_ID: commandId,
  AWS_SSM_INSTANCE_ID: instanceId,
  AWS_SSM_REGION_NAME: 'us-east-1',
});
