import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { environmentOf } from '#domain/contracts/verb';
import {
  functionName,
  functionPlaceholder,
  stateMachineName,
  stateMachineNames,
  stateMachinePlaceholder,
} from '#domain/naming';
import { contractOf, verbNames } from '#lambdas/verbs';
import { deployed, example, grants, here, type Json } from './deployed.ts';

const stacks = deployed(example);
const functionArn = (name: string): string => `arn:aws:lambda:${here}:function:${name}`;
const machineArn = (name: string): string => `arn:aws:states:${here}:stateMachine:${name}`;

const Machine = z.object({
  StateMachineName: z.string(),
  StateMachineType: z.literal('STANDARD'),
  DefinitionString: z.string(),
  DefinitionSubstitutions: z.record(z.string(), z.string()),
  RoleArn: z.string(),
  LoggingConfiguration: z.json(),
  TracingConfiguration: z.json(),
});

const Task = z.object({
  Type: z.literal('Task'),
  Parameters: z.object({ FunctionName: z.string().optional(), StateMachineArn: z.string().optional() }),
});

const tasks = (value: Json): z.infer<typeof Task>[] => {
  if (typeof value !== 'object' || value === null) return [];
  const task = Task.safeParse(value);
  return [...(task.success ? [task.data] : []), ...Object.values(value).flatMap(tasks)];
};

const machines = Object.values(stacks.all('AWS::StepFunctions::StateMachine')).map((properties) =>
  Machine.parse(properties),
);
const Lambda = z.object({
  FunctionName: z.string(),
  Timeout: z.number(),
  MemorySize: z.number(),
  Runtime: z.string(),
  Architectures: z.array(z.string()),
  TracingConfig: z.object({ Mode: z.string() }),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
});
const lambdas = Object.values(stacks.all('AWS::Lambda::Function'));
/** It answers CloudFormation at a deployment, and no machine calls it. */
const ofDeployment = functionName('ticket-key');
const functions = lambdas
  .filter(({ FunctionName }) => FunctionName !== ofDeployment)
  .map((properties) => Lambda.parse(properties));

it('every state machine and every verb is deployed, once', () => {
  expect(machines.map((machine) => machine.StateMachineName).toSorted()).toEqual(
    stateMachineNames.map(stateMachineName).toSorted(),
  );
  expect(lambdas.map(({ FunctionName }) => FunctionName).toSorted()).toEqual(
    [...verbNames.map(functionName), ofDeployment].toSorted(),
  );
});

describe.each(machines)('$StateMachineName', (machine) => {
  const { DefinitionString, DefinitionSubstitutions } = machine;
  const definition = DefinitionString.replace(/\$\{(\w+)\}/g, (all, name) => DefinitionSubstitutions[name] ?? all);

  it('has a substitution for each placeholder, and a placeholder for each substitution', () => {
    const used = new Set(Array.from(DefinitionString.matchAll(/\$\{(\w+)\}/g), ([, name]) => name));
    expect([...used].toSorted()).toEqual(Object.keys(DefinitionSubstitutions).toSorted());
    expect(definition).not.toContain('${');
  });

  it('finds under each placeholder what it is named after', () => {
    const meant = Object.fromEntries([
      ...verbNames.map((verb) => [functionPlaceholder(verb), functionArn(functionName(verb))]),
      ...stateMachineNames.map((name) => [stateMachinePlaceholder(name), machineArn(stateMachineName(name))]),
    ]);
    for (const [placeholder, arn] of Object.entries(DefinitionSubstitutions)) expect(arn).toBe(meant[placeholder]);
  });

  it('may start what it starts and nothing else', () => {
    const started = tasks(JSON.parse(definition)).flatMap(({ Parameters: { FunctionName, StateMachineArn } }) => [
      ...(FunctionName === undefined ? [] : [FunctionName]),
      ...(StateMachineArn === undefined ? [] : [StateMachineArn]),
    ]);
    const allowed = grants(stacks)
      .filter(({ who }) => machine.RoleArn.endsWith(`/${who}`))
      .flatMap(({ statements }) => statements)
      .filter(({ Action }) => Action.includes('lambda:InvokeFunction') || Action.includes('states:StartExecution'))
      .flatMap(({ Resource = [] }) => Resource);
    expect(started.length).toBeGreaterThan(0);
    expect(new Set(allowed)).toEqual(new Set(started));
  });

  it('is traced and logged, without what its executions carry', () => {
    const log = `arn:aws:logs:${here}:log-group:/aws/vendedlogs/states/${machine.StateMachineName}:*`;
    expect(machine.LoggingConfiguration).toEqual({
      Destinations: [{ CloudWatchLogsLogGroup: { LogGroupArn: log } }],
      IncludeExecutionData: false,
      Level: 'ALL',
    });
    expect(machine.TracingConfiguration).toEqual({ Enabled: true });
  });
});

describe.each(verbNames)('the lambda %s', (verb) => {
  const row = contractOf(verb);
  const own = functions.find((one) => one.FunctionName === functionName(verb));

  it('has the environment that its row asks for, and no more', () => {
    const suffix = here.split(':').toReversed().join('-');
    const meant = {
      VAULT_BUCKET: `holdfast-vault-${suffix}`,
      STATE_BUCKET: `holdfast-state-${suffix}`,
      TOPIC_ARN: `arn:aws:sns:${here}:holdfast`,
    };
    expect(own?.Environment.Variables).toEqual({
      ...Object.fromEntries(environmentOf(row).map((name) => [name, meant[name]])),
      POWERTOOLS_SERVICE_NAME: 'holdfast',
    });
  });

  it('has the time and the memory of its row', () => {
    expect(own).toMatchObject({ Timeout: row.timeoutSeconds ?? 60, MemorySize: row.memorySize ?? 512 });
  });

  it('runs on the Node.js that the tests ran on, and is traced', () => {
    expect(own).toMatchObject({
      Runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
      Architectures: ['arm64'],
      TracingConfig: { Mode: 'Active' },
    });
  });
});

it('every log ends some day', () => {
  const logs = Object.values(stacks.all('AWS::Logs::LogGroup'));
  expect(logs).toHaveLength(lambdas.length + stateMachineNames.length);
  for (const log of logs) expect(log).toMatchObject({ RetentionInDays: expect.any(Number) });
});
