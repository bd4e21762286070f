import * as z from 'zod';
import { Config } from '#domain/config';

/** Prints the JSON Schema of holdfast.yaml for editors: `node cli/config-schema.ts > docs/reference/holdfast.schema.json`. */
process.stdout.write(`${JSON.stringify(z.toJSONSchema(Config, { io: 'input' }), undefined, 2)}\n`);
