import type { RequestListener } from 'node:http';
import { createApi } from './api.ts';
import { createExecutions, type ExecutionStatusChange } from './executions.ts';
import { loadMachine } from './machine.ts';
import { serve } from './server.ts';

export type { ExecutionStatusChange } from './executions.ts';

export interface StepFunctionsOptions {
  /** Refuses callers. Default: any credentials will do. */
  readonly admit?: (serve: RequestListener) => RequestListener;
  /** ASL as JSON text by the machine's name; its placeholders are substituted already. */
  readonly machines: Readonly<Record<string, string>>;
  /** Runs a lambda in this process; rejects with the handler's own error. */
  readonly invoke: (functionArn: string, payload: unknown) => Promise<unknown>;
  readonly region: string;
  readonly account: string;
  /** Hears every change of an execution's status, as a rule on EventBridge would; must not throw. */
  readonly onStatusChange?: (change: ExecutionStatusChange) => void;
  /** Makes every Wait state, and each pause before a retry, take this long, for tests that would wait most of their time; otherwise it takes what it says. */
  readonly pollMilliseconds?: number | undefined;
}

export interface StepFunctions {
  /** The endpoint for an SDK client; any credentials do. */
  readonly url: string;
  stateMachineArn(name: string): string;
  /** Aborts what runs and frees the port. */
  close(): Promise<void>;
}

/**
 * Runs state machines in this process behind the Step Functions API: standard workflows in JSONPath, forgotten when the
 * process ends. Throws for a machine that is not valid ASL or needs what is not supported (see `loadMachine`).
 */
export async function startStepFunctions(options: StepFunctionsOptions): Promise<StepFunctions> {
  const { region, account, invoke, onStatusChange = () => {}, pollMilliseconds } = options;
  const stateMachineArn = (name: string) => `arn:aws:states:${region}:${account}:stateMachine:${name}`;
  const machines = Object.entries(options.machines).map(([name, asl]) => loadMachine(name, stateMachineArn(name), asl));
  const executions = createExecutions({ machines, invoke, region, account, onStatusChange, pollMilliseconds });
  const server = await serve(createApi(executions), options.admit ?? ((listener) => listener));
  return {
    url: server.url,
    stateMachineArn,
    async close() {
      executions.close();
      await server.close();
    },
  };
}
