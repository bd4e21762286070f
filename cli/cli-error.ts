import type { Exit } from './exit-codes.ts';

/** Ends a verb: what is wrong, the next thing to try, and how the process ends. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: Exit;
  readonly next: string;

  constructor(exit: Exit, message: string, next: string) {
    super(message);
    this.exit = exit;
    this.next = next;
  }
}

/** What helps against an error of AWS or of the way to it, by the error's name. */
const remedy = (name: string): string => {
  if (/credential|expired|InvalidClientTokenId|UnrecognizedClient|InvalidAccessKeyId|Signature/i.test(name))
    return 'Sign in again (aws sso login), or use another --profile.';
  if (/AccessDenied|Forbidden/i.test(name))
    return 'Ask for the permission that the message names, or use another --profile.';
  if (name === 'NoSuchBucket') return 'Make sure that every stack of Holdfast is deployed.';
  return 'Check the network, --region and --endpoint-url, then try again.';
};

const report = 'Set HOLDFAST_DEBUG=1 for a stack trace, and report it.';

const field = (error: Error, name: string): unknown => Object.entries(error).find(([key]) => key === name)?.[1];

/** Any error as a CliError: what AWS or the way to it refused is told from what nobody foresaw. */
export const explain = (error: unknown): CliError => {
  if (error instanceof CliError) return error;
  if (!(error instanceof Error)) return new CliError('unexpected', String(error), report);
  if (error.message === 'Region is missing')
    return new CliError('usage', 'no AWS region is set', 'Add --region, or set AWS_REGION.');
  // The SDK leaves its metadata on everything that ends a call, also on the errors of sockets.
  if (field(error, '$metadata') !== undefined || error.name === 'CredentialsProviderError') {
    const code = field(error, 'code');
    const name = typeof code === 'string' ? code : error.name;
    return new CliError('connection', `${name}: ${error.message || 'no answer'}`, remedy(name));
  }
  return new CliError('unexpected', `${error.name}: ${error.message}`, report);
};
