import * as z from 'zod';

/** The environment of this lambda; its construct sets it. */
export const Env = z.object({});
