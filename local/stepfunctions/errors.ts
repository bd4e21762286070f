/** Refuses a call of the API. `name` is the exception that the SDK raises. */
export class ApiError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/** No Retry and no Catch sees these, not even `States.ALL`. */
const TERMINAL = ['States.Runtime', 'States.DataLimitExceeded'];

/** Fails a task. The interpreter takes `name` for ASL's Error and `message` for its Cause. */
export class TaskError extends Error {
  override readonly name: string;

  constructor(name: string | undefined, cause: string | undefined) {
    super(cause);
    this.name = name ?? '';
    // Catch gets what the interpreter finds here, and AWS's has null for what SendTaskFailure left out.
    if (name === undefined) Object.defineProperty(this, 'name', { value: null });
    if (cause === undefined) Object.defineProperty(this, 'message', { value: null });
  }

  get isRetryable(): boolean {
    return !TERMINAL.includes(this.name);
  }

  get isCatchable(): boolean {
    return !TERMINAL.includes(this.name);
  }
}
