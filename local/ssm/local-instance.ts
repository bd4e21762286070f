import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_DIRECTORY, agentEnvironment, type ManagedInstance } from './instance.ts';

export interface LocalInstance extends ManagedInstance {
  /** Writable, so that a test can lose the connection to the agent and find it again. */
  online: boolean;
  /** Writable, so that a test can start it again. */
  boots: number;
}

/** A managed instance that is this machine: each script is a plain child process below `directory`. */
export const localInstance = (options: {
  readonly instanceId: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** The agent's orchestration directory; its path must be fit for `sh -c`. */
  readonly directory: string;
}): LocalInstance => ({
  instanceId: options.instanceId,
  tags: options.tags ?? {},
  computerName: `${options.instanceId}.local`,
  ipAddress: '127.0.0.1',
  platformName: 'Debian GNU/Linux',
  agentVersion: '3.3.2746.0',
  online: true,
  boots: 0,
  run(script, commandId) {
    const directory = join(options.directory, commandId);
    const path = join(directory, '_script.sh');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(options.directory, 0o700);
    writeFileSync(path, script, { mode: 0o700 });
    const child = spawn('sh', ['-c', path], {
      cwd: AGENT_DIRECTORY,
      env: agentEnvironment(options.instanceId, commandId),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return {
      stdout: child.stdout,
      stderr: child.stderr,
      exit: new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code, signal) => resolve({ code, signal }));
      }),
      kill: () => {
        if (child.pid !== undefined) killGroup(child.pid);
      },
    };
  },
});

const killGroup = (leader: number): void => {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // The group is gone already: that is what was asked for.
  }
};
