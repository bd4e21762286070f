import type { Contract } from './contracts/document.ts';
import { archiveFiles } from './contracts/shared.ts';
import { UnaskedAnswerError } from './errors.ts';
import { type Collected, type Upload, uploadsOf } from './manifest.ts';
import { decodeText } from './naming.ts';
import { answersOf, type NodeAnswer, type PhaseState } from './phase.ts';
import { type Command, parameterOf } from './plan.ts';
import { backupJuju } from './systems/juju-documents.ts';
import { dumpDatabase, dumpGlobals } from './systems/puppet-documents.ts';
import { nodeWords } from './words.ts';

/** What a node answers is a claim: only the keys and names that its command was given count. */

interface Promised {
  readonly contract: Contract;
  readonly kind: Collected['kind'];
  /** What a document adds to its key for each object, before the compressor's ending. */
  readonly suffixes: readonly string[];
  /** What its command says is collected, as the answer should. */
  readonly named: (command: Pick<Command, 'document' | 'parameters'>) => string | undefined;
}

const unnamed = (): undefined => undefined;

/** What the documents that collect answer. */
const promises: readonly Promised[] = [
  { contract: dumpGlobals, kind: 'globals', suffixes: [''], named: unnamed },
  {
    contract: dumpDatabase,
    kind: 'database',
    suffixes: ['.dump', '.contents'],
    named: (command) => {
      const encoded = parameterOf(command, dumpDatabase, 'Database');
      return encoded && decodeText(encoded);
    },
  },
  {
    contract: archiveFiles,
    kind: 'files',
    suffixes: ['.tar', '.contents'],
    named: (command) => parameterOf(command, archiveFiles, 'Group'),
  },
  { contract: backupJuju, kind: 'juju', suffixes: ['.tar.gz', '.contents'], named: unnamed },
];

/** What the nodes say that they have collected in a phase, as it stands in its commands' answers. */
export const collectedIn = (state: PhaseState): readonly NodeAnswer<Collected>[] => [
  ...answersOf(state, dumpGlobals),
  ...answersOf(state, dumpDatabase),
  ...answersOf(state, archiveFiles),
  ...answersOf(state, backupJuju).flatMap(({ answer, ...of }) =>
    answer.kind === 'nothing' ? [] : [{ ...of, answer }],
  ),
];

const endings = { zstd: '.zst', gzip: '.gz', none: '' } as const satisfies Record<Upload['compression'], string>;

const nameOf = (collected: Collected): string | undefined => {
  switch (collected.kind) {
    case 'database':
      return collected.database;
    case 'files':
      return collected.group;
    case 'globals':
    case 'juju':
      return undefined;
    default:
      return collected satisfies never;
  }
};

/**
 * Compares what a node says that it has collected with what its command asked for. Throws an UnaskedAnswerError when it names
 * another key, database or group: nothing may be done to an object because a node said its name.
 */
export const askedFor = (
  command: Pick<Command, 'id' | 'document' | 'parameters' | 'instanceIds'> | undefined,
  instanceId: string,
  collected: Collected,
): void => {
  const refuse = (what: string): UnaskedAnswerError =>
    new UnaskedAnswerError(
      `${command?.id ?? 'A command'} on ${instanceId} answered ${what}, which it was not asked for. Nothing was committed. Find out who changed that node before you trust its backups.`,
    );
  const quoted = (text: string | undefined): string => JSON.stringify(nodeWords((text ?? '').slice(0, 200)));
  if (!command?.instanceIds.includes(instanceId)) throw refuse('though no command was sent to it');
  const asked = promises.find(({ contract }) => contract.name === command.document);
  if (asked?.kind !== collected.kind) throw refuse(`with ${quoted(collected.kind)}`);
  const name = nameOf(collected);
  if (name !== asked.named(command)) throw refuse(`for ${quoted(name)}`);
  const uploads = uploadsOf(collected);
  for (const [index, { key, compression }] of uploads.entries())
    if (key !== `${command.parameters['Key']}${asked.suffixes[index]}${endings[compression]}`)
      throw refuse(`with the key ${quoted(key)}`);
};
