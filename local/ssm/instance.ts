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
  /**
   * Writes the script below the agent's orchestration directory (root's, 0700) and runs it as the agent does:
   * `sh -c <path>` in a session of its own, in the orchestration directory, with nothing but PATH in its environment.
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

export const AGENT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
