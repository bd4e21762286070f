import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { errorNames, InvalidInputError, UnexpectedError } from '#domain/errors';
import { type InputOf, inputs, type OutputOf, type Verb } from './verbs.ts';

/** Writes structured lines; never give it the content of an object or an output of a node. */
export const logger = new Logger({ serviceName: 'holdfast' });

/** Returns the value in the agreed shape. Throws an InvalidInputError that says what else was found. */
export const parse = <Output>(schema: z.ZodType<Output>, value: unknown): Output => {
  const result = schema.safeParse(value);
  if (!result.success) throw new InvalidInputError(z.prettifyError(result.error).replaceAll('\n', ' '));
  return result.data;
};

/** The error as state machines know it: a decision of ours passes as it is, everything else is one that they repeat. */
const known = (error: unknown): Error => {
  if (error instanceof Error && errorNames.some((name) => name === error.name)) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return new UnexpectedError(`${name}: ${message}`, { cause: error });
};

/** Returns a verb's handler: it parses its input as its row says and does its work. Decisions pass as they are: the state machine owns failure. */
export const entry = <V extends Verb>(verb: V, work: (input: InputOf<V>) => Promise<OutputOf<V>>) =>
  middy<unknown, OutputOf<V>, Error, Context>()
    .use(injectLambdaContext(logger, { resetKeys: true }))
    .handler(async (event) => {
      try {
        return await work(parse(inputs[verb].input, event));
      } catch (error) {
        const told = known(error);
        if (told !== error) logger.error(told.message, error instanceof Error ? error : String(error));
        throw told;
      }
    });
