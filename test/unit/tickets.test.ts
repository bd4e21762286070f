import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { kmsTickets } from '#aws/signatures';
import { composeDocument, composedScript } from '#documents/compose';
import { statementOf } from '#domain/contracts/document';
import { archiveFiles, checkNode, finishRestore, replaceFiles, startServices, undo } from '#domain/contracts/shared';
import { type Command, commandsOn, commonParameters, timeoutParameter } from '#domain/plan';
import { documents } from '#domain/systems/documents';
import { purgePuppet } from '#domain/systems/puppet-documents';
import { withTicket } from '#domain/systems/tickets';
import { createKms, createTicketKey } from '#local/runtime/kms';
import { parseDocument, renderScript } from '#local/ssm/document';
import { tellPublicKey } from '../../lambdas/ticket-key/handler.ts';

/** Tickets: that a node takes what Holdfast sends, as it was sent, once, and nothing else. */

const directory = mkdtempSync(join(tmpdir(), 'tickets-'));
afterAll(() => rmSync(directory, { recursive: true }));

const key = createTicketKey();
const own = 'i-0123456789abcdef0';
const of = { system: 'pe-main', run: 'run-1', attempt: 0 };
const nonceOf = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
const nonce = nonceOf(1);

const sent = async (command: Command, by = key, number = 1): Promise<Command> => {
  const common = commonParameters(of, command, 'holdfast-state', new Date());
  return withTicket(by, { ...command, parameters: { ...command.parameters, ...common } }, nonceOf(number));
};

const on = commandsOn({ instanceId: own, name: 'master' });
const finish = (): Promise<Command> => sent(on(finishRestore, {}));

/** What the agent writes for a command that somebody sends. */
const scriptOf = ({ document, ...command }: Command): string => {
  const contract = documents.find(({ name }) => name === document) ?? finishRestore;
  const parsed = parseDocument(document, JSON.stringify(composeDocument(contract, key.publicKey)), 1);
  const given = Object.entries({ ...command.parameters, ...timeoutParameter(command) });
  return renderScript(parsed, Object.fromEntries(given.map(([name, value]) => [name, [value]])));
};

/** The text that a node checks the signature of. */
const statementOn = (command: Command): string =>
  spawnSync('bash', ['-s'], {
    input: `${scriptOf(command).split('\nTICKET_KEY=')[0]}\nprintf '%s' "$STATEMENT"\n`,
    encoding: 'utf8',
  }).stdout;

/** What a document answers that would do nothing but say so, with notes of its own. */
const answerOn = (command: Command, { instance = own, notes = 'notes' } = {}): unknown => {
  const file = join(directory, 'script');
  const script = scriptOf(command).replace(
    'readonly state_directory=/var/lib/holdfast',
    `readonly state_directory=${join(directory, notes)}`,
  );
  writeFileSync(file, script.replace(/^main\(\) \{\n/m, 'main() {\n  begin\n  answer\n}\nnothing() {\n'));
  const { stdout } = spawnSync('bash', [file], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], AWS_SSM_INSTANCE_ID: instance, SSM_COMMAND_ID: 'c-1' },
  });
  return JSON.parse(stdout);
};

const changed = (command: Command, parameters: Readonly<Record<string, string>>): Command => ({
  ...command,
  parameters: { ...command.parameters, ...parameters },
});

const refused = (why: RegExp) => ({
  error: 'TicketRefusedError',
  message: expect.stringMatching(new RegExp(`${why.source}.*did nothing.*CloudTrail.*SendCommand`)),
});

describe('what is signed', () => {
  it('is on the node what it is for the sender, whatever the values are', async () => {
    const path = fc.string({ unit: 'grapheme', minLength: 1 }).map((name) => `/${name.replaceAll('\0', '')}`);
    await fc.assert(
      fc.asyncProperty(fc.array(path, { minLength: 1, maxLength: 3 }), fc.nat(172_000), async (paths, seconds) => {
        const values = { Name: 'x.tar', Roots: paths, MissingRoots: [], Excludes: paths.slice(1) };
        const command = await sent(on(replaceFiles, values, { seconds: 30 + seconds }));
        expect(statementOn(command)).toBe(
          statementOf(command.document, { ...command.parameters, ...timeoutParameter(command) }),
        );
      }),
      { numRuns: 20 },
    );
  });

  it('says document, nodes, run, deadline and every parameter, in the order of their names', async () => {
    const command = await finish();
    expect(statementOn(command)).toBe(
      [
        'Holdfast-FinishRestore',
        'Answers=holdfast-state/answers/pe-main/run-1',
        'Attempt=0',
        'ExecutionTimeout=1800',
        `Nodes=${own}`,
        `Nonce=${nonce}`,
        'Run=run-1',
        `StartBefore=${command.parameters['StartBefore']}`,
      ].join('\n'),
    );
  });

  it('differs wherever anything differs', () => {
    const values = fc.stringMatching(/^[A-Za-z0-9 =_./-]{0,12}$/);
    const given = fc.dictionary(fc.constantFrom('A', 'AB', 'A2', 'B', 'Name'), values);
    fc.assert(
      fc.property(fc.constantFrom('X', 'Y'), given, fc.constantFrom('X', 'Y'), given, (a, ofA, b, ofB) => {
        const same =
          a === b && JSON.stringify(Object.entries(ofA).toSorted()) === JSON.stringify(Object.entries(ofB).toSorted());
        expect(statementOf(a, ofA) === statementOf(b, ofB)).toBe(same);
      }),
    );
  });
});

describe('a document that changes its node', () => {
  it('works with its ticket', async () => {
    expect(answerOn(await finish(), { notes: 'works' })).toEqual({});
  });

  it('works with its ticket once', async () => {
    const command = await finish();
    answerOn(command, { notes: 'once' });
    expect(answerOn(command, { notes: 'once' })).toEqual(refused(/was used before/));
  });

  it('works on each of its nodes, and where SSM has found the node by a tag', async () => {
    const several = { ...on(finishRestore, {}), instanceIds: ['i-0123456789abcdef1', own] };
    expect(answerOn(await sent(several), { notes: 'several' })).toEqual({});
    const tagged = { ...several, instanceIds: [], tags: { Wave: 'rest' } };
    expect(answerOn(await sent(tagged), { notes: 'tagged' })).toEqual({});
  });

  it.each<[string, RegExp, (command: Command) => Command | Promise<Command>]>([
    ['another run', /was not made for it/, (command) => changed(command, { Run: 'run-2' })],
    ['a later deadline', /was not made for it/, (command) => changed(command, { StartBefore: '9999999999' })],
    ['another attempt', /was not made for it/, (command) => changed(command, { Attempt: '1' })],
    [
      'another node in the command',
      /was not made for it/,
      (command) => changed(command, { Nodes: `${own} i-0123456789abcdef1` }),
    ],
    ['any node', /was not made for it/, (command) => changed(command, { Nodes: 'any' })],
    ['a nonce of its own', /was not made for it/, (command) => changed(command, { Nonce: nonceOf(2) })],
    ['another time-out', /was not made for it/, (command) => ({ ...command, executionTimeoutSeconds: 30 })],
    [
      'the ticket of another document',
      /was not made for it/,
      async (command) => changed(command, { Ticket: String((await sent(on(undo, {}))).parameters['Ticket']) }),
    ],
    ['a ticket that another key has made', /was not made for it/, () => sent(on(finishRestore, {}), createTicketKey())],
    ['nothing but letters', /was not made for it/, (command) => changed(command, { Ticket: `${'A'.repeat(342)}==` })],
    ['no ticket at all', /was not made for it/, (command) => changed(command, { Ticket: '' })],
  ])('does nothing with %s', async (_, why, change) => {
    expect(answerOn(await change(await finish()), { notes: 'refused' })).toEqual(refused(why));
  });

  it('does nothing on another node, nor where the agent does not tell which node it is', async () => {
    const command = await finish();
    expect(answerOn(command, { instance: 'i-0123456789abcdef9', notes: 'other' })).toEqual(
      refused(new RegExp(`is for ${own}, and this is i-0123456789abcdef9`)),
    );
    expect(answerOn(command, { instance: '', notes: 'other' })).toEqual(refused(/does not tell/));
  });

  it('does nothing where openssl fails, and says so', async () => {
    const command = changed(await finish(), {});
    const broken = { ...command, parameters: { ...command.parameters, Ticket: 'AAAA' } };
    expect(answerOn(broken, { notes: 'broken' })).toEqual(refused(/openssl/));
  });
});

describe('every document', () => {
  it.each(documents.map((contract) => [contract.script, contract] as const))(
    '%s begins with its beginning, and with its ticket where it changes the node',
    (script, contract) => {
      const own = readFileSync(new URL(`../../documents/${script}.sh`, import.meta.url), 'utf8');
      expect(own).toMatch(/^main\(\) \{\n(?: +(?:#.*|local (?:(?!\$\(\w|`).)*)\n)* +begin(?:_answer)?\n/m);
      const whole = composedScript(contract);
      const begins = whole.match(/^ +begin_answer\n(?: +demand_ticket\n)?/gm) ?? [];
      expect(new Set(begins)).toEqual(
        new Set([contract.changesNode ? '  begin_answer\n  demand_ticket\n' : '  begin_answer\n']),
      );
      expect(/^demand_ticket\(\) \{$/m.test(whole)).toBe(contract.changesNode);
    },
  );

  it('that destroys is one that changes its node', () => {
    for (const { changesNode } of [archiveFiles, purgePuppet, replaceFiles, startServices, undo])
      expect(changesNode).toBe(true);
  });

  it('that only looks is sent without a ticket', async () => {
    const looking = on(checkNode, { Bucket: 'holdfast-vault', Key: 'backups/x/y', Keys: [] });
    expect((await sent(looking)).parameters).not.toHaveProperty('Ticket');
  });
});

describe('the key in KMS', () => {
  const keys = createKms({ macKeys: ['alias/mac'], signingKeys: ['alias/tickets'] });
  const server = createServer(keys.handle);
  let endpoint = '';
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    endpoint = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'any');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'any');
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', endpoint);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    server.close();
  });
  const tickets = (alias = 'alias/tickets') => kmsTickets({ region: 'eu-central-1', endpoint }, alias);

  it('signs what a node then believes, by the public key that KMS tells', async () => {
    const statement = 'Holdfast-Undo\nRun=ü';
    const [file, signature] = [join(directory, 'key.pem'), join(directory, 'signature')];
    const publicKey = await tickets().publicKey();
    expect(publicKey).toBe(keys.publicKey('alias/tickets'));
    writeFileSync(
      file,
      `-----BEGIN PUBLIC KEY-----\n${publicKey.replace(/.{64}/g, '$&\n')}\n-----END PUBLIC KEY-----\n`,
    );
    writeFileSync(signature, Buffer.from(await tickets().sign(statement), 'base64'));
    const { stdout } = spawnSync('openssl', ['dgst', '-sha256', '-verify', file, '-signature', signature], {
      input: statement,
      encoding: 'utf8',
    });
    expect(stdout).toBe('Verified OK\n');
  });

  it('is the one that signs: none that makes MACs does', async () => {
    await expect(tickets('alias/mac').sign('x')).rejects.toMatchObject({ name: 'InvalidKeyUsageException' });
    await expect(tickets('alias/none').sign('x')).rejects.toMatchObject({ name: 'NotFoundException' });
  });

  describe('tells CloudFormation its public half', () => {
    const told: { readonly method: string | undefined; readonly type: string | undefined; readonly answer: unknown }[] =
      [];
    const formation = createServer(async (request, response) => {
      const { method, headers } = request;
      told.push({ method, type: headers['content-type'], answer: JSON.parse(await text(request)) });
      response.end();
    });
    let ResponseURL = '';
    beforeAll(async () => {
      await new Promise<void>((resolve) => formation.listen(0, '127.0.0.1', resolve));
      const address = formation.address();
      ResponseURL = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/signed`;
    });
    afterAll(() => void formation.close());

    const ids = { StackId: 's', RequestId: 'r', LogicalResourceId: 'l' };
    const ask = async (RequestType: string, KeyId: string, more = {}): Promise<unknown> => {
      told.length = 0;
      await tellPublicKey({ RequestType, ResponseURL, ...ids, ResourceProperties: { KeyId }, ...more }, 1);
      expect(told).toMatchObject([{ method: 'PUT', type: undefined }]);
      return told[0]?.answer;
    };

    it('when it is asked', async () => {
      for (const type of ['Create', 'Update'])
        expect(await ask(type, 'alias/tickets')).toEqual({
          ...{ ...ids, Status: 'SUCCESS', PhysicalResourceId: 'alias/tickets' },
          Data: { PublicKey: keys.publicKey('alias/tickets') },
        });
    });

    it('and why it cannot', async () => {
      expect(await ask('Create', 'alias/none')).toEqual({
        ...{ ...ids, Status: 'FAILED', PhysicalResourceId: 'alias/none' },
        Reason: expect.stringContaining('NotFoundException'),
      });
    });

    it('and is taken away without being asked for', async () => {
      expect(await ask('Delete', 'alias/none', { PhysicalResourceId: 'before' })).toEqual({
        ...{ ...ids, Status: 'SUCCESS', PhysicalResourceId: 'before' },
      });
    });
  });
});
