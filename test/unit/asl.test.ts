import { readFileSync } from 'node:fs';
import validate from 'asl-validator';
import { describe, expect, it } from 'vitest';
import * as errors from '#domain/errors';
import { explainFailure } from '#domain/failure';
import { functionPlaceholder, stateMachineNames, stateMachinePlaceholder } from '#domain/naming';
import { retriers } from '#domain/retries';
import { verbNames } from '#lambdas/verbs';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every object below a value, itself included. */
const objects = (value: Json): { [key: string]: Json }[] =>
  Array.isArray(value)
    ? value.flatMap(objects)
    : isObject(value)
      ? [value, ...Object.values(value).flatMap(objects)]
      : [];

const retriersOf = (resource: Json | undefined): unknown =>
  Object.entries(retriers).find(([kind]) => `arn:aws:states:::${kind}` === resource)?.[1];

const placeholders = new Set([
  ...verbNames.map(functionPlaceholder),
  ...stateMachineNames.map(stateMachinePlaceholder),
]);

describe.each(stateMachineNames)('%s.asl.json', (name) => {
  const text = readFileSync(new URL(`../../statemachines/${name}.asl.json`, import.meta.url), 'utf8');
  const machine: { [key: string]: Json } = JSON.parse(text);
  const all = objects(machine);
  const tasks = all.filter(({ Type }) => Type === 'Task');

  it('is valid, says what it is for and ends in time', () => {
    expect(validate(JSON.parse(text)).errors).toEqual([]);
    expect(machine).toMatchObject({
      Comment: expect.stringMatching(/\w/),
      QueryLanguage: 'JSONPath',
      TimeoutSeconds: expect.any(Number),
    });
  });

  it('gives every task a time-out, and every retry an end', () => {
    expect(tasks.length).toBeGreaterThan(0);
    for (const task of tasks)
      expect('TimeoutSecondsPath' in task ? task['TimeoutSecondsPath'] : task['TimeoutSeconds']).toSatisfy(
        (found) => typeof found === 'number' || /^\$\.\w/.test(String(found)),
      );
  });

  it('repeats what AWS throws, patiently and at random times, and no decision of ours', () => {
    for (const { Resource, Retry } of tasks) expect([Resource, Retry]).toEqual([Resource, retriersOf(Resource)]);
  });

  it('calls no state and no error by a name that only AWS may give', () => {
    for (const { States } of all)
      for (const state of isObject(States) ? Object.keys(States) : []) expect(state).not.toMatch(/^States\./);
    for (const { Error: error } of all) expect(String(error)).not.toMatch(/^States\./);
  });

  it('uses only placeholders that are substituted', () => {
    for (const [, placeholder] of text.matchAll(/\$\{(\w+)\}/g)) expect(placeholders).toContain(placeholder);
  });

  it('names only errors that somebody throws', () => {
    for (const { ErrorEquals } of all)
      for (const error of Array.isArray(ErrorEquals) ? ErrorEquals : [])
        expect(error).toSatisfy(
          (found: Json) =>
            typeof found === 'string' &&
            (/^(States|Lambda|Sandbox|Runtime|StepFunctions)\./.test(found) ||
              errors.errorNames.some((known) => known === found)),
        );
  });
});

it.each(['backup', 'restore', 'upgrade'])('whatever fails in a %s that has the lock goes the one way out', (name) => {
  const machine: { States: Record<string, { Type: string; Catch?: { ErrorEquals: string[]; Next: string }[] }> } =
    JSON.parse(readFileSync(new URL(`../../statemachines/${name}.asl.json`, import.meta.url), 'utf8'));
  const wayOut = ['ExplainFailure', 'KeepRawFailure', 'Undo', 'ExplainUndoFailure', 'Fail'];
  for (const [name, { Type, Catch }] of Object.entries(machine.States)) {
    if (!['Task', 'Map'].includes(Type) || name === 'AcquireLock' || wayOut.includes(name)) continue;
    expect([name, Catch?.at(-1)]).toEqual([
      name,
      expect.objectContaining({ ErrorEquals: ['States.ALL'], Next: 'ExplainFailure' }),
    ]);
  }
  for (const name of wayOut.filter((state) => !['KeepRawFailure', 'Fail'].includes(state)))
    expect(machine.States[name]?.Catch?.[0]?.ErrorEquals).toEqual(['States.ALL']);
});

it('what machines repeat is never a decision of ours, and none of it ends a run', () => {
  const repeated = Object.values(retriers).flatMap((list) => list.flatMap(({ ErrorEquals }) => [...ErrorEquals]));
  expect(errors.errorNames.filter((name) => repeated.some((one) => one === name))).toEqual(['UnexpectedError']);
  for (const one of repeated.filter((name) => name !== 'UnexpectedError'))
    expect(repeated).not.toContain(explainFailure({ Error: one, Cause: '' }, 'backup').error);
});

it('the list of error names is that of the classes', () => {
  const classes = Object.entries(errors).filter(([name]) => name !== 'errorNames');
  expect(classes.map(([name]) => name).toSorted()).toEqual([...errors.errorNames].toSorted());
  for (const [name, Class] of classes) if (typeof Class === 'function') expect(new Class('x').name).toBe(name);
});
