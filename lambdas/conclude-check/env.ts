import * as z from 'zod';

/** The environment of this lambda; its construct sets it. */
export const Env = z.object({ STATE_BUCKET: z.string(), VAULT_BUCKET: z.string() });
