import { type Document, parseDocument } from './document.ts';
import { SsmError } from './errors.ts';

/** The documents of the service with all of their versions, counted from 1. The newest is the default, as CloudFormation leaves it. */
export const keepDocuments = (initial: Readonly<Record<string, string>>) => {
  const kept = new Map<string, readonly Document[]>(
    Object.entries(initial).map(([name, content]) => [name, [parseDocument(name, content, 1)]]),
  );

  const versionsOf = (name: string): readonly Document[] => {
    const versions = kept.get(name);
    if (versions === undefined) throw new SsmError('InvalidDocument', `Document with name ${name} does not exist.`);
    return versions;
  };

  /** A version by its number, `$DEFAULT` or `$LATEST`. Throws `InvalidDocument` or `InvalidDocumentVersion`. */
  const find = (name: string, version: string): Document => {
    const versions = versionsOf(name);
    const found = version.startsWith('$') ? versions.at(-1) : versions.find((one) => one.version === version);
    if (found === undefined)
      throw new SsmError('InvalidDocumentVersion', `Document ${name} has no version ${version}.`);
    return found;
  };

  /** Makes a new version the default. Throws `DuplicateDocumentContent` when it is what the newest holds. */
  const update = (name: string, content: string): void => {
    const versions = versionsOf(name);
    if (versions.at(-1)?.content === content)
      throw new SsmError('DuplicateDocumentContent', `The newest version of ${name} has this content.`);
    kept.set(name, [...versions, parseDocument(name, content, versions.length + 1)]);
  };

  return { find, update };
};

export type Documents = ReturnType<typeof keepDocuments>;
