import { readFileSync } from 'node:fs';
import {
  type Contract,
  commonTakes,
  statementOf,
  type Takes,
  ticketTakes,
  variableOf,
} from '#domain/contracts/document';
import { documents } from '#domain/systems/documents';

/** The SSM documents: each is the script of a contract with the libraries that it names, its parameters set as variables before it. */

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** A function of a script as shfmt writes it: on one line, or from its name to a brace at the beginning of a line. */
const definition = /^([a-z_][a-z0-9_]*)\(\) \{(?: .*\}|\n(?:.*\n)*?\})\n/gm;

/** A script without the functions that nothing in it names, and those that only they name. */
const withoutUnused = (text: string): string => {
  const names = new Set(Array.from(text.matchAll(definition), ([, name]) => name ?? ''));
  const shorter = Array.from(names).reduce((rest, name) => {
    const others = rest.replace(definition, (whole: string, own: string) => (own === name ? '' : whole));
    // Behind the letter of a line feed that printf writes, too.
    return new RegExp(`(\\b|\\\\n)${name}\\b`).test(others) ? rest : others;
  }, text);
  return shorter === text ? text : withoutUnused(shorter);
};

/** A line that names a library, in a script or in a library. */
const sourced = /^\. "\$\(dirname "\$(?:0|\{BASH_SOURCE\[0\]\})"\)\/(?:.*\/)?([a-z-]+\.sh)"\n/gm;

/** The first thing that every document does. */
const beginning = /^ +begin_answer$/gm;

/**
 * A script with its libraries in place of the lines that name them: one text that needs no other file. One that changes its node demands
 * a ticket before all else. Its comments stay here, but for what it is for, and so do functions that it does not use: SSM takes 64 KB of a
 * document.
 */
export const composedScript = ({ script, changesNode }: Pick<Contract, 'script' | 'changesNode'>): string =>
  withoutUnused(
    read(`${script}.sh`)
      .replace(/^#!.*\n/, '')
      .replace(sourced, (_, library: string) =>
        read(`library/${library}`).replace(sourced, (__, other: string) => read(`library/${other}`)),
      )
      .replace(/^[ ]*#(?: .*)?\n/gm, '')
      .replace(beginning, (line) => (changesNode ? `${line}\n  demand_ticket` : line)),
  );

/** What stands in a document for a parameter, until the agent puts its value there. */
const placeholder = (parameter: string): string => `{{ ${parameter} }}`;

/** What stands before the script of a document that changes its node, and no parameter changes: what a ticket must be for, and by whom. */
const ticketLines = (name: string, takes: Takes, ticketKey: string): readonly string[] => {
  const given = [...Object.keys(takes), 'ExecutionTimeout'].map((one) => [one, placeholder(one)]);
  return [`STATEMENT='${statementOf(name, Object.fromEntries(given))}'`, `TICKET_KEY='${ticketKey}'`].flatMap((line) =>
    line.split('\n'),
  );
};

/** The content of a document, schema 2.2. `ticketKey` is the public key that tickets are checked with, in base64. */
export const composeDocument = (contract: Contract, ticketKey: string): object => {
  const { name, does, changesNode } = contract;
  const takes: Takes = { ...commonTakes, ...(changesNode && ticketTakes), ...contract.takes };
  const variables = [
    ...Object.keys(takes).map((one) => `${variableOf(one)}='${placeholder(one)}'`),
    ...(changesNode ? ticketLines(name, takes, ticketKey) : []),
  ];
  return {
    schemaVersion: '2.2',
    description: changesNode ? does : `${does} Changes nothing.`,
    parameters: {
      ...Object.fromEntries(
        Object.entries(takes).map(([one, { description, allowedPattern, maxChars }]) => [
          one,
          { type: 'String', description, allowedPattern, ...(maxChars !== undefined && { maxChars }) },
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
        // GetCommandInvocation takes no name of fewer than four characters.
        name: 'script',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: '{{ ExecutionTimeout }}',
          runCommand: ['#!/bin/bash', ...variables, ...composedScript(contract).split('\n')],
        },
      },
    ],
  };
};

/** The content of every document by its name. */
export const composeDocuments = (ticketKey: string): Readonly<Record<string, object>> =>
  Object.fromEntries(documents.map((contract) => [contract.name, composeDocument(contract, ticketKey)]));
