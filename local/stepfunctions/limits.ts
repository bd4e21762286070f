/** Bytes of UTF-8 that the input or output of a state, a task or an execution may have. */
export const MAX_PAYLOAD_BYTES = 262_144;

/** An execution that reaches this many events fails. */
export const MAX_HISTORY_EVENTS = 25_000;

/** A node timer that is set to more than 2^31 - 1 ms fires at once. */
export const MAX_TIMER_SECONDS = 2_147_483;

export const isTooLarge = (json: string): boolean => Buffer.byteLength(json) > MAX_PAYLOAD_BYTES;

/** The error of a payload over the limit. */
export const dataLimit = (what: string) => ({
  error: 'States.DataLimitExceeded',
  cause: `The ${what} exceeds ${MAX_PAYLOAD_BYTES} bytes.`,
});
