import { ssmClient } from '#aws/clients';
import { ssmRunCommand } from '#aws/run-command';
import { kmsTickets } from '#aws/signatures';
import { ticketKey } from '#domain/naming';
import type { RunCommand, Tickets } from '#domain/ports';
import type { RunCommandOf, VerbWith } from '../verbs.ts';

export const runCommandOf = <V extends VerbWith<'runCommand'>>(_verb: V): RunCommandOf<V> => ssmRunCommand(ssmClient());

/** Returns what makes tickets, for a verb whose row lets it send. */
export const ticketsOf = <V extends VerbWith<'runCommand'>>(
  _verb: RunCommandOf<V> extends Pick<RunCommand, 'send'> ? V : never,
): Tickets => kmsTickets({}, ticketKey);
