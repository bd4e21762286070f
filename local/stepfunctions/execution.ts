import type { HistoryEvent } from '@aws-sdk/client-sfn';
import type { Machine } from './machine.ts';

/** An execution, as those who work on it see it. */

export interface Failure {
  readonly status: 'FAILED' | 'ABORTED' | 'TIMED_OUT';
  readonly error: string | undefined;
  readonly cause: string | undefined;
}
export type Verdict = { readonly status: 'SUCCEEDED'; readonly output: string } | Failure;

/** How an execution ended. */
export type Outcome = Verdict & { readonly stopDate: Date };

export interface Execution {
  readonly arn: string;
  readonly name: string;
  readonly machine: Machine;
  /** JSON, as it was given. */
  readonly input: string;
  readonly startDate: Date;
  readonly redriveCount: number;
  readonly history: HistoryEvent[];
  readonly ended: Promise<Outcome>;
  /** Absent while it runs. */
  outcome?: Outcome;
  /** Ends it at once with this outcome; its tasks and children are aborted, no Catch runs. */
  end(failure: Failure): void;
}

export interface StartRequest {
  readonly stateMachineArn: string;
  readonly input?: string | undefined;
  readonly name?: string | undefined;
}
