import { UnaskedAnswerError } from './errors.ts';
import { type Collected, type Upload, uploadsOf } from './manifest.ts';
import { decodeText, documentName } from './naming.ts';
import type { Command } from './plan.ts';
import { nodeWords } from './words.ts';

/** What a node answers is a claim: only the keys and names that its command was given count. */

interface Promised {
  readonly kind: Collected['kind'];
  /** What a document adds to its key for each object, before the compressor's ending. */
  readonly suffixes: readonly string[];
  /** The parameter that names what is collected, as the answer should. */
  readonly named: (parameters: Command['parameters']) => string | undefined;
}

const unnamed = (): undefined => undefined;

/** By the documents that collect. */
const promised: Readonly<Record<string, Promised>> = {
  [documentName('dump-globals')]: { kind: 'globals', suffixes: [''], named: unnamed },
  [documentName('dump-database')]: {
    kind: 'database',
    suffixes: ['.dump', '.contents'],
    named: ({ Database }) => Database && decodeText(Database),
  },
  [documentName('archive-files')]: {
    kind: 'files',
    suffixes: ['.tar', '.contents'],
    named: ({ Group }) => Group,
  },
  [documentName('backup-juju')]: { kind: 'juju', suffixes: ['.tar.gz', '.contents'], named: unnamed },
};

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
      `${command?.id ?? 'A command'} on ${instanceId} answered ${what}, which it was not asked for. Nothing was committed. Look who has changed something on that node before you trust its backups.`,
    );
  const quoted = (text: string | undefined): string => JSON.stringify(nodeWords((text ?? '').slice(0, 200)));
  if (!command?.instanceIds.includes(instanceId)) throw refuse('though no command was sent to it');
  const asked = promised[command.document];
  if (asked?.kind !== collected.kind) throw refuse(`with ${quoted(collected.kind)}`);
  const name = nameOf(collected);
  if (name !== asked.named(command.parameters)) throw refuse(`for ${quoted(name)}`);
  const uploads = uploadsOf(collected);
  for (const [index, { key, compression }] of uploads.entries())
    if (key !== `${command.parameters['Key']}${asked.suffixes[index]}${endings[compression]}`)
      throw refuse(`with the key ${quoted(key)}`);
};
