import { readFileSync } from 'node:fs';
import { documentName } from '#domain/naming';

/** The SSM documents: each is one script with the libraries that it names, its parameters set as variables before it. */

interface Parameter {
  readonly description: string;
  /** No pattern lets a shell metacharacter, a quote or white space other than a plain blank through. */
  readonly allowedPattern: string;
  readonly variable: string;
}

const parameter = {
  RunId: { description: 'The run that sends the command.', allowedPattern: '^[A-Za-z0-9_-]{1,80}$', variable: 'RUN' },
  UndoRunId: {
    description: 'The run whose traces are removed.',
    allowedPattern: '^[A-Za-z0-9_-]{1,80}$',
    variable: 'UNDO_RUN',
  },
  Bucket: { description: 'The vault.', allowedPattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$', variable: 'BUCKET' },
  Key: {
    description: 'The key, without suffix.',
    allowedPattern: '^backups/[A-Za-z0-9/_.=-]{1,900}$',
    variable: 'KEY',
  },
  ExpectedBytes: {
    description: 'About how many bytes will be stored: sizes the parts of the upload.',
    allowedPattern: '^[1-9][0-9]{0,14}$',
    variable: 'EXPECTED_BYTES',
  },
  Database: {
    description: 'The name of a database, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]{1,400}$',
    variable: 'DATABASE',
  },
  Group: { description: 'What the files are.', allowedPattern: '^[a-z][a-z-]{0,40}$', variable: 'GROUP' },
  Paths: {
    description: 'Absolute paths, one per line, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]{1,40000}$',
    variable: 'PATHS',
  },
  Services: {
    description: 'Names of services in the order of stopping, a blank between.',
    allowedPattern: '^[a-z0-9-]{1,64}( [a-z0-9-]{1,64}){0,30}$',
    variable: 'SERVICES',
  },
  WatchdogSeconds: {
    description: 'When the node starts the services itself.',
    allowedPattern: '^[1-9][0-9]{0,5}$',
    variable: 'WATCHDOG_SECONDS',
  },
} as const satisfies Readonly<Record<string, Parameter>>;

type ParameterName = keyof typeof parameter;

interface Document {
  readonly description: string;
  readonly parameters: readonly ParameterName[];
}

/** Every script that becomes a document, by its file's name. */
export const documents = {
  'inspect-puppet': {
    description: 'Tells what a Puppet Enterprise 3.x node holds. Changes nothing.',
    parameters: ['RunId'],
  },
  'dump-globals': {
    description: 'Streams roles and tablespaces into the vault.',
    parameters: ['RunId', 'Bucket', 'Key', 'ExpectedBytes'],
  },
  'dump-database': {
    description: 'Streams a verified dump of one database into the vault.',
    parameters: ['RunId', 'Bucket', 'Key', 'ExpectedBytes', 'Database'],
  },
  'archive-files': {
    description: 'Streams a verified archive of files into the vault.',
    parameters: ['RunId', 'Bucket', 'Key', 'ExpectedBytes', 'Group', 'Paths'],
  },
  'stop-services': {
    description: 'Stops services and remembers which were running.',
    parameters: ['RunId', 'Services', 'WatchdogSeconds'],
  },
  'start-services': { description: 'Starts what stop-services stopped for this run.', parameters: ['RunId'] },
  undo: { description: 'Removes the traces of a run from the node.', parameters: ['UndoRunId'] },
} as const satisfies Readonly<Record<string, Document>>;

/** The name of a script that is a document. */
export type DocumentScript = keyof typeof documents;

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** A script with its libraries in place of the lines that name them: one text that needs no other file. */
const inlined = (script: DocumentScript): string =>
  read(`${script}.sh`)
    .replace(/^#!.*\n/, '')
    .replace(/^\. "\$\(dirname "\$0"\)\/(library\/[a-z-]+\.sh)"\n/gm, (_, library: string) => read(library));

/** The content of a script's SSM document, schema 2.2. */
export const composeDocument = (script: DocumentScript): object => {
  const { description, parameters: names } = documents[script];
  const parameters: readonly ParameterName[] = names;
  const variables = parameters.map((name) => `${parameter[name].variable}='{{ ${name} }}'`);
  return {
    schemaVersion: '2.2',
    description,
    parameters: {
      ...Object.fromEntries(
        parameters.map((name) => [
          name,
          { type: 'String', description: parameter[name].description, allowedPattern: parameter[name].allowedPattern },
        ]),
      ),
      ExecutionTimeout: {
        type: 'String',
        description: 'Seconds after which the agent kills the command.',
        default: '3600',
        allowedPattern: '^[1-9][0-9]{1,5}$',
      },
    },
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'run',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: '{{ ExecutionTimeout }}',
          runCommand: ['#!/bin/bash', ...variables, ...inlined(script).split('\n')],
        },
      },
    ],
  };
};

/** Every script that is a document. */
export const scripts: readonly DocumentScript[] = Object.keys(documents).filter(
  (name): name is DocumentScript => name in documents,
);

/** The content of every document by its name. */
export const composeDocuments = (): Readonly<Record<string, object>> =>
  Object.fromEntries(scripts.map((script) => [documentName(script), composeDocument(script)]));
