import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { composeDocuments } from '#documents/compose';
import { documents } from '#domain/systems/documents';
import { createTicketKey } from '#local/runtime/kms';

const Document = z.strictObject({
  schemaVersion: z.literal('2.2'),
  description: z.string().min(1),
  parameters: z.record(
    z.string(),
    z.strictObject({
      type: z.literal('String'),
      description: z.string().min(1),
      default: z.string().optional(),
      allowedPattern: z.string().regex(/^\^.*\$$/, 'expected a pattern of the whole value'),
      maxChars: z.int().positive().optional(),
    }),
  ),
  mainSteps: z.tuple([
    z.strictObject({
      action: z.literal('aws:runShellScript'),
      name: z.string().min(4, 'the shortest PluginName of GetCommandInvocation'),
      precondition: z.strictObject({ StringEquals: z.tuple([z.literal('platformType'), z.literal('Linux')]) }),
      inputs: z.strictObject({ timeoutSeconds: z.literal('{{ ExecutionTimeout }}'), runCommand: z.array(z.string()) }),
    }),
  ]),
});

/** What a shell gives a meaning to, inside of single quotes or out of them; the blank is a separator that only lists need. */
const dangerous = [...'\'"`$\\;&|<>(){}[]*?!~#^%,\t\n\r\0', '\u00a0', '\u2028', 'é'];

const { publicKey } = createTicketKey();

describe.each(Object.entries(composeDocuments(publicKey)))('%s', (name, content) => {
  const { parameters, mainSteps } = Document.parse(content);
  const { runCommand } = mainSteps[0].inputs;
  const text = runCommand.join('\n');

  it('is smaller than the 64 KB that SSM takes', () => {
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThan(64 * 1024);
  });

  const changesNode = documents.find((contract) => contract.name === name)?.changesNode ?? true;
  const own = Object.keys(parameters).filter((one) => one !== 'ExecutionTimeout');
  const signed = Object.keys(parameters).filter((one) => one !== 'Ticket');
  const statement = ["STATEMENT='", name, ...signed.toSorted().map((one) => `\n${one}={{ ${one} }}`), "'"].join('');

  it('puts each parameter into single quotes once, before anything else, and no other', () => {
    const used = [...text.replace(statement, '').matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, one]) => one);
    expect(used.toSorted()).toEqual(own.toSorted());
    expect(runCommand[0]).toBe('#!/bin/bash');
    for (const line of runCommand.slice(1, own.length + 1)) expect(line).toMatch(/^[A-Z][A-Z0-9_]*='\{\{ \w+ \}\}'$/);
  });

  it('demands a ticket for itself and all that it is given, unless it only looks', () => {
    expect(own.filter((one) => ['Nodes', 'Nonce', 'Ticket'].includes(one))).toHaveLength(changesNode ? 3 : 0);
    const after = runCommand.slice(own.length + 1).join('\n');
    const begins = `${statement}\nTICKET_KEY='${publicKey}'\n`;
    expect([after.startsWith(begins), text.includes('STATEMENT=')]).toEqual([changesNode, changesNode]);
  });

  it.each(Object.entries(parameters))(
    '%s takes no value that a shell could understand',
    (_name, { allowedPattern }) => {
      const allowed = new RegExp(allowedPattern);
      const valid = fc.stringMatching(allowed).filter((value) => allowed.test(value));
      fc.assert(
        fc.property(valid, fc.constantFrom(...dangerous), fc.nat(), (value, character, at) => {
          const place = at % (value.length + 1);
          expect(value.slice(0, place) + character + value.slice(place)).not.toMatch(allowed);
        }),
        { numRuns: 50 },
      );
      for (const character of dangerous) expect(character.repeat(3)).not.toMatch(allowed);
    },
  );

  it.each(Object.entries(parameters))(
    '%s has a pattern that the agent can compile, which says how long a value may be or leaves it to maxChars',
    (_name, { allowedPattern, maxChars }) => {
      expect(() => RE2JS.compile(allowedPattern)).not.toThrow();
      if (/[*+]/.test(allowedPattern.replace(/\[[^\]]*\]/g, ''))) expect(maxChars).toBeDefined();
    },
  );

  it('has the library inside instead of looking for it', () => {
    expect(text).not.toMatch(/^\. /m);
  });

  it('is whole after what it does not use was left out', () => {
    const { status, stderr } = spawnSync('bash', ['-n'], {
      input: text.replaceAll(/\{\{ \w+ \}\}/g, ''),
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
});
