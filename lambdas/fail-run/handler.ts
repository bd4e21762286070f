import { sfnClient } from '#aws/clients';
import { FailRunInput } from '#domain/payloads';
import { entry } from '../entry.ts';
import { failRun } from './fail-run.ts';

const client = sfnClient();

export const handler = entry(FailRunInput, (input) => failRun(client, input));
