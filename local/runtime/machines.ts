import { readFileSync } from 'node:fs';
import {
  functionName,
  functionPlaceholder,
  stateMachineName,
  stateMachineNames,
  stateMachinePlaceholder,
} from '#domain/naming';
import { type Verb, verbNames } from '#lambdas/verbs';

const read = (name: string): string =>
  readFileSync(new URL(`../../statemachines/${name}.asl.json`, import.meta.url), 'utf8');

/** The ARN of a function, as AWS writes it. */
export const functionArn = (verb: Verb, region: string, account: string): string =>
  `arn:aws:lambda:${region}:${account}:function:${functionName(verb)}`;

/** Every state machine with its placeholders replaced, as CloudFormation does it, by its deployed name. */
export const localMachines = (region: string, account: string): Readonly<Record<string, string>> => {
  const replacements = new Map([
    ...verbNames.map((verb) => [functionPlaceholder(verb), functionArn(verb, region, account)] as const),
    ...stateMachineNames.map(
      (name) =>
        [
          stateMachinePlaceholder(name),
          `arn:aws:states:${region}:${account}:stateMachine:${stateMachineName(name)}`,
        ] as const,
    ),
  ]);
  return Object.fromEntries(
    stateMachineNames.map((name) => [
      stateMachineName(name),
      read(name).replace(/\$\{(\w+)\}/g, (placeholder, key: string) => {
        const value = replacements.get(key);
        if (value === undefined) throw new Error(`${name}.asl.json: nothing stands for ${placeholder}`);
        return value;
      }),
    ]),
  );
};
