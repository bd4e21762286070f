import * as z from 'zod';
import { CommandFailedError } from '#domain/errors';
import { documentName } from '#domain/naming';
import { attempt, handover, nodes, nonce, type Parameter, run, startBefore, ticket } from './parameters.ts';

/**
 * What a document is: its name, its parameters, its answer, and the script that does it. The SSM document, the commands of plans and
 * the reading of answers follow from it, and a test holds the script to it.
 */

/** The parameters of a document by their names in SSM. */
export type Takes = Readonly<Record<string, Parameter<unknown>>>;

type ValueOf<P> = P extends Parameter<infer T> ? T : never;

/** What a command gives a document, before it is encoded. One without parameters is given nothing. */
export type Values<P extends Takes> = keyof P extends never
  ? Readonly<Record<string, never>>
  : { readonly [K in keyof P]: ValueOf<P[K]> };

export interface Contract<P extends Takes = Takes, A = unknown> {
  /** The path of its script below documents/, without `.sh`. */
  readonly script: string;
  /** The last part of it: what a person sees of a command. */
  readonly verb: string;
  /** Its name in SSM. */
  readonly name: string;
  /** What it does, in a sentence; of one that only looks it is added that it changes nothing. */
  readonly does: string;
  /** False when it only looks. */
  readonly changesNode: boolean;
  readonly takes: P;
  readonly answers: z.ZodType<A>;
}

/** What a document answers. */
export type AnswerOf<C> = C extends Contract<Takes, infer A> ? A : never;

/** What every document takes; whoever sends a command adds them. */
export const commonTakes = {
  Run: run,
  StartBefore: startBefore,
  Attempt: attempt,
  Answers: handover,
} as const satisfies Takes;

/** What a document takes beside that when it changes the node: without it, it does nothing. */
export const ticketTakes = { Nodes: nodes, Nonce: nonce, Ticket: ticket } as const satisfies Takes;

/**
 * What a ticket signs: the document and everything that it is given but the ticket itself. A document holds it with a placeholder
 * for each value, so that a node reads what the sender has signed; no value has a line feed.
 */
export const statementOf = (document: string, given: Readonly<Record<string, string>>): string =>
  [
    document,
    ...Object.entries(given)
      .filter(([name]) => name !== 'Ticket')
      .map(([name, value]) => `${name}=${value}`)
      .toSorted(),
  ].join('\n');

/** The answer of a document that has nothing to tell but its success. */
const nothing = z.strictObject({});
type Nothing = z.infer<typeof nothing>;

interface Definition<P extends Takes> {
  readonly does: string;
  /** Set for a document that only looks at the node. */
  readonly onlyLooks?: true;
  readonly takes: P;
}

/** Defines the document of a script. Without `answers` it answers its success alone. */
export function document<P extends Takes>(script: string, of: Definition<P>): Contract<P, Nothing>;
export function document<P extends Takes, A>(
  script: string,
  of: Definition<P> & { readonly answers: z.ZodType<A> },
): Contract<P, A>;
export function document<P extends Takes>(
  script: string,
  { does, onlyLooks, takes, answers = nothing }: Definition<P> & { readonly answers?: z.ZodType },
): Contract<P> {
  const verb = script.slice(script.lastIndexOf('/') + 1);
  return { script, verb, name: documentName(verb), does, changesNode: !onlyLooks, takes, answers };
}

/** The variable in which a script finds a parameter: `KNOWN_SERIAL` for `KnownSerial`. */
export const variableOf = (parameter: string): string =>
  parameter.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toUpperCase();

/** What SSM is sent for the values of a command. Throws a CommandFailedError for one that it would refuse. */
export const encoded = <P extends Takes>(
  verb: string,
  takes: P,
  values: Values<P>,
): Readonly<Record<string, string>> => {
  const given = new Map<string, unknown>(Object.entries(values));
  return Object.fromEntries(
    Object.entries(takes).map(([name, { allowedPattern, maxChars = Number.POSITIVE_INFINITY, encode }]) => {
      const value = encode(given.get(name));
      if (value.length > maxChars || !new RegExp(allowedPattern).test(value))
        throw new CommandFailedError(
          `${verb} cannot be given ${JSON.stringify(value.slice(0, 200))} as ${name}: it takes ${allowedPattern}${maxChars < Number.POSITIVE_INFINITY ? ` of at most ${maxChars} characters` : ''}.`,
        );
      return [name, value];
    }),
  );
};
