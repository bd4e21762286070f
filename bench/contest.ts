import { readdirSync, readFileSync } from 'node:fs';
import { composeDocument } from '#documents/compose';
import type { Contract, Takes, Values } from '#domain/contracts/document';
import { commandsOn, commonParameters, timeoutParameter } from '#domain/plan';
import { withTicket } from '#domain/systems/tickets';
import type { LabNode } from '../local/lab/node.ts';
import { createTicketKey } from '../local/runtime/kms.ts';

/** One way to do a thing, and what it took. */
export interface Contender {
  readonly name: string;
  readonly seconds: number;
  readonly peakMiB: number;
}

const tickets = createTicketKey();

const rounds = 3;
const mark = 'HOLDFAST_BENCH';

/** Bytes of memory that the marked processes hold together. */
const markedMemory = (): number => {
  let sum = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) continue;
      sum += Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
    } catch {
      // It ended while we looked.
    }
  }
  return sum;
};

const measured = async (work: () => Promise<unknown>): Promise<{ seconds: number; peakMiB: number }> => {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, markedMemory());
  }, 500);
  const begun = performance.now();
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return { seconds: (performance.now() - begun) / 1000, peakMiB: peak / 2 ** 20 };
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** A way to do it: what is measured, and what has to be made ready before each round. */
export interface Entry {
  readonly name: string;
  readonly work: (round: number) => Promise<unknown>;
  readonly before?: (round: number) => Promise<unknown>;
}

/** Lets every entry do its work in turns, and gives the median of each. */
export const contest = async (
  entries: readonly Entry[],
  tell: (what: string) => void,
): Promise<readonly Contender[]> => {
  const taken = new Map<string, { seconds: number; peakMiB: number }[]>();
  for (let round = 1; round <= rounds; round++)
    for (const { name, work, before } of entries) {
      tell(`round ${round} of ${rounds}: ${name}`);
      await before?.(round);
      taken.set(name, [...(taken.get(name) ?? []), await measured(() => work(round))]);
    }
  return entries.map(({ name }) => ({
    name,
    seconds: median((taken.get(name) ?? []).map(({ seconds }) => seconds)),
    peakMiB: Math.max(...(taken.get(name) ?? []).map(({ peakMiB }) => peakMiB)),
  }));
};

/** Runs a command on the node; what it prints. Throws when it fails. */
export const shell = async (node: LabNode, command: string): Promise<string> => {
  const { code, stdout, stderr } = await node.exec(`${mark}=1 exec bash -o pipefail -s <<'BENCH'\n${command}\nBENCH`);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
};

/** Runs a document as Run Command would; its answer. Throws when it fails. */
export const runDocument = async <P extends Takes>(
  node: LabNode,
  contract: Contract<P>,
  run: string,
  values: NoInfer<Values<P>>,
): Promise<string> => {
  const content: { mainSteps: { inputs: { runCommand: string[] } }[] } = JSON.parse(
    JSON.stringify(composeDocument(contract, tickets.publicKey)),
  );
  const of = { system: 'bench', run, attempt: 0 };
  const command = commandsOn({ instanceId: node.instanceId, name: node.hostname })(contract, values);
  const common = commonParameters(of, {}, 'bench-state', new Date());
  const sent = { ...command, parameters: { ...command.parameters, ...common } };
  const whole = await withTicket(tickets, sent, crypto.randomUUID());
  const parameters: Readonly<Record<string, string>> = { ...whole.parameters, ...timeoutParameter(whole) };
  const lines = (content.mainSteps[0]?.inputs.runCommand ?? [])
    .join('\n')
    .replace(/\{\{ (\w+) \}\}/g, (_, name: string) => parameters[name] ?? '')
    .replace('#!/bin/bash\n', `#!/bin/bash\nexport ${mark}=1\n`);
  const running = node.run(lines, crypto.randomUUID());
  let answer = '';
  running.stdout.on('data', (data: Buffer) => {
    answer += data.toString();
  });
  running.stderr.resume();
  const { code } = await running.exit;
  if (code !== 0) throw new Error(answer);
  return answer;
};
