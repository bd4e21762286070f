import * as z from 'zod';
import { phasesOf } from '#domain/contracts/procedure';
import { stateMachineNames } from '#domain/naming';
import { procedures } from '../../statemachines/generate.ts';
import { definitions, machineFaults } from '../contracts/machines.ts';
import type { Mutation } from './mutation.ts';

/** One slip of the pen at each place of each machine where it names something of a verb, of another machine, or of itself. */

const Fields = z.record(z.string(), z.unknown());

type Place = readonly string[];

/** What stands at a place is replaced; a key at the end of `rename` is. */
type Slip = { readonly what: string; readonly place: Place } & (
  | { readonly value: unknown }
  | { readonly rename: string }
);

const withSlip = (value: unknown, slip: Slip, depth = 0): unknown => {
  const [name] = slip.place.slice(depth);
  if (name === undefined) return 'value' in slip ? slip.value : value;
  if (Array.isArray(value))
    return value.map((one, index) => (String(index) === name ? withSlip(one, slip, depth + 1) : one));
  const isLast = depth === slip.place.length - 1;
  return Object.fromEntries(
    Object.entries(Fields.parse(value)).map(([key, part]) => {
      if (key !== name) return [key, part];
      return isLast && 'rename' in slip ? [slip.rename, part] : [key, withSlip(part, slip, depth + 1)];
    }),
  );
};

const paths = ['Variable', 'ItemsPath', 'SecondsPath', 'TimeoutSecondsPath', 'ErrorPath', 'CausePath', 'OutputPath'];
const templates = ['Payload', 'Input', 'ResultSelector', 'ItemSelector'];
const states = ['Next', 'Default', 'StartAt'];

const misspelt = (text: string): string => `${text}x`;

/** The slips in what is filled in for others: its keys, and what stands there. */
const templateSlips = (template: unknown, place: Place): readonly Slip[] =>
  Object.entries(Fields.parse(template)).flatMap(([key, value]): Slip[] => [
    {
      what: 'key',
      place: [...place, key],
      rename: key.endsWith('.$') ? `${misspelt(key.slice(0, -2))}.$` : misspelt(key),
    },
    ...(typeof value === 'string' ? [{ what: 'value', place: [...place, key], value: misspelt(value) }] : []),
  ]);

const fieldSlips = (name: string, value: unknown, place: Place): readonly Slip[] => {
  if (templates.includes(name)) return templateSlips(value, place);
  if (name === 'States')
    return Object.keys(Fields.parse(value)).map((state) => ({
      what: 'state',
      place: [...place, state],
      rename: misspelt(state),
    }));
  if (typeof value !== 'string') return [];
  if (paths.includes(name)) return [{ what: 'path', place, value: misspelt(value) }];
  if (states.includes(name)) return [{ what: 'state', place, value: misspelt(value) }];
  if (name === 'StringEquals') return [{ what: 'compared value', place, value: misspelt(value) }];
  if (name === 'FunctionName' || name === 'StateMachineArn')
    return [
      { what: 'callee', place, value: value.replace('FunctionArn', 'FunctionArm').replace('MachineArn', 'MachineArm') },
    ];
  return [];
};

/** A task's time-out that is no longer than its lambda's. */
const timeSlips = (value: object, place: Place): readonly Slip[] => {
  const { TimeoutSeconds, Parameters } = z
    .object({ TimeoutSeconds: z.number(), Parameters: z.object({ FunctionName: z.string() }) })
    .catch({ TimeoutSeconds: 0, Parameters: { FunctionName: '' } })
    .parse(value);
  return TimeoutSeconds === 0 || Parameters.FunctionName === ''
    ? []
    : [{ what: 'time-out', place: [...place, 'TimeoutSeconds'], value: 1 }];
};

const slipsIn = (value: unknown, place: Place = []): readonly Slip[] => {
  if (typeof value !== 'object' || value === null) return [];
  return [
    ...timeSlips(value, place),
    ...Object.entries(value).flatMap(([name, part]) => [
      ...fieldSlips(name, part, [...place, name]),
      ...slipsIn(part, [...place, name]),
    ]),
  ];
};

export const machineMutations = (): readonly Mutation[] => {
  const machines = definitions();
  const phases = new Set(['inspect', ...Object.values(procedures).flatMap(({ steps }) => phasesOf({ steps }))]);
  return stateMachineNames.flatMap((name) =>
    slipsIn(machines[name]).map((slip) => ({
      what: `${name}: ${slip.what}: ${slip.place.join('.')}`,
      // What a machine ends with is read by those that start it.
      isDetected: () => {
        const seeded = { ...machines, [name]: withSlip(machines[name], slip) };
        return [name, ...stateMachineNames].some((one) => machineFaults(one, seeded, phases).length > 0);
      },
    })),
  );
};
