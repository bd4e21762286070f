/**
 * What state machines repeat, and how. Each task of each machine has just these retriers (a test holds them together): what AWS throws, never a
 * decision of ours.
 */

/** What AWS throws when it has no room, or a fault, and what our own code throws that is no decision: S3's SlowDown, a broken connection. */
const faults = [
  'UnexpectedError',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.TooManyRequestsException',
] as const;

/** A lambda that took too long or died; AWS has several names for each. */
const deaths = ['Lambda.Unknown', 'Sandbox.Timedout', 'Runtime.ExitError'] as const;

/**
 * 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60 = 242 s of patience at most, and half of that on average: every system of an account may begin at the same
 * minute, and a new account runs ten lambdas at once.
 */
const patient = {
  IntervalSeconds: 2,
  BackoffRate: 2,
  MaxDelaySeconds: 60,
  MaxAttempts: 8,
  JitterStrategy: 'FULL',
} as const;

/** A lambda may take 15 minutes: three of them are 45. */
const brief = { IntervalSeconds: 5, BackoffRate: 2, MaxAttempts: 2, JitterStrategy: 'FULL' } as const;

/** The retriers of each kind of task, by the end of its resource. */
export const retriers = {
  'lambda:invoke': [
    { ErrorEquals: faults, ...patient },
    { ErrorEquals: [...deaths, 'States.Timeout'], ...brief },
  ],
  /** It is answered by somebody else, with an error of their choice; that nobody answered in time is an answer as well. */
  'lambda:invoke.waitForTaskToken': [
    { ErrorEquals: faults, ...patient },
    { ErrorEquals: deaths, ...brief },
  ],
  /** Only what says that no execution was started: two of one phase would not know of each other. */
  'states:startExecution.sync:2': [
    { ErrorEquals: ['StepFunctions.ThrottlingException', 'StepFunctions.ExecutionLimitExceededException'], ...patient },
  ],
} as const;
