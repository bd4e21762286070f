import type { FoundPath, PuppetInspection } from '#domain/inspection';

/** What the archives of a node of Puppet Enterprise hold: one rule for whoever makes them and whoever puts them back. */

/** What one archive of files holds. */
export interface PlannedArchive {
  /** Its name in the vault and in the manifest: its group, and from the second archive of a group on a number. */
  readonly name: string;
  readonly group: string;
  /** Paths that the archive holds whole, none within another. */
  readonly roots: readonly FoundPath[];
}

/** True when a path is another or lies below it. */
export const isWithin = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/** The paths that lie in no other of them, each once; of the same path the first one. */
export const outermost = <P extends { readonly path: string }>(paths: readonly P[]): readonly P[] => {
  const kept: P[] = [];
  // What sorts behind a directory's own name and a slash lies below it.
  for (const one of paths.toSorted((a, b) =>
    `${a.path}/` < `${b.path}/` ? -1 : `${a.path}/` > `${b.path}/` ? 1 : 0,
  )) {
    const last = kept.at(-1);
    if (!last || !isWithin(one.path, last.path)) kept.push(one);
  }
  return kept;
};

/** Characters of paths that one command takes: a parameter of 40,000 holds three quarters of that, before its encoding. */
const charactersPerArchive = 24_000;

const inPieces = (paths: readonly FoundPath[]): readonly (readonly FoundPath[])[] => {
  const pieces: FoundPath[][] = [];
  let characters = charactersPerArchive;
  for (const one of paths) {
    // A character takes at most three bytes.
    const more = one.path.length * 3 + 1;
    if (characters + more > charactersPerArchive) {
      pieces.push([]);
      characters = 0;
    }
    pieces.at(-1)?.push(one);
    characters += more;
  }
  return pieces;
};

/** The archives of a node, in the order of their groups: what an inspection has found, and what the configuration names. */
export const archivesOf = (
  paths: PuppetInspection['paths'],
  extraPaths: readonly string[],
): readonly PlannedArchive[] => {
  const groups: Readonly<Record<string, readonly FoundPath[]>> = {
    ...paths,
    extra: extraPaths.map((path) => ({ path, because: 'setting', by: 'extraPaths' })),
  };
  return Object.entries(groups).flatMap(([group, found]) =>
    inPieces(outermost(found)).map((roots, index) => ({
      name: index === 0 ? group : `${group}-${index + 1}`,
      group,
      roots,
    })),
  );
};
