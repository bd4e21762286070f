import type { Command } from 'commander';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';

/**
 * What a shell completes, generated from the command line itself. The script is complete: pressing Tab starts no process
 * and runs nothing of what was typed.
 */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Word {
  readonly word: string;
  readonly description: string;
}

/** What a shell can complete in a place: files, or one of a few words; none where it can't know any. */
type Candidates = 'files' | readonly string[];

/** What may follow a verb, `config check`, or the program alone, whose path is empty. */
interface Place {
  readonly path: readonly string[];
  readonly verbs: readonly Word[];
  readonly options: readonly (Word & { readonly value?: Candidates })[];
  readonly argument: Candidates;
}

const candidatesOf = (name: string, choices: readonly string[] = []): Candidates =>
  name === 'file' ? 'files' : choices;

const placesOf = (command: Command, path: readonly string[] = []): readonly Place[] => {
  const help = command.createHelp();
  const verbs = help.visibleCommands(command).filter((one) => one.name() !== 'help');
  const [argument] = command.registeredArguments;
  return [
    {
      path,
      verbs: verbs.map((one) => ({ word: one.name(), description: one.description() })),
      options: help.visibleOptions(command).map(({ long, flags, description, argChoices }) => {
        const value = /<(\w+)/.exec(flags)?.[1];
        return {
          word: long ?? flags,
          description,
          ...(value !== undefined && { value: candidatesOf(value, argChoices) }),
        };
      }),
      argument: candidatesOf(argument?.name() ?? '', argument?.argChoices),
    },
    ...verbs.flatMap((one) => placesOf(one, [...path, one.name()])),
  ];
};

const wordsOf = (words: readonly Word[]): string => words.map(({ word }) => word).join(' ');

/** A text in single quotes, as bash and zsh read it. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const pathOf = ({ path }: Place): string => path.map((verb) => ` ${verb}`).join('');

/** Which verb the words before the cursor are, as bash and zsh find it: `words` and `until` are the shell's names. */
const verbLoop = (places: readonly Place[], first: number, until: string, words: string): readonly string[] => [
  `  for ((i = ${first}; i < ${until}; i++)); do`,
  `    case "$verb \${${words}[i]}" in`,
  `      ${places
    .slice(1)
    .map((place) => quoted(pathOf(place)))
    .join(' | ')}) verb+=" \${${words}[i]}" ;;`,
  '    esac',
  '  done',
];

/** A case for each option that takes a value. */
const valueCases = (places: readonly Place[], complete: (value: Candidates) => string): readonly string[] =>
  places.flatMap((place) =>
    place.options.flatMap(({ word, value }) =>
      value === undefined ? [] : [`    ${quoted(`${pathOf(place)} ${word}`)}) ${complete(value)} ;;`],
    ),
  );

const bash = (name: string, places: readonly Place[]): readonly string[] => {
  const complete = (value: Candidates): string =>
    value === 'files' ? 'files=yes' : `words=${quoted(value.join(' '))}`;
  return [
    `_${name}() {`,
    `  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} verb='' words='' files='' i`,
    ...verbLoop(places, 1, 'COMP_CWORD', 'COMP_WORDS'),
    '  case "$verb $previous" in',
    ...valueCases(places, complete),
    '    *)',
    '      case "$verb" in',
    ...places.map((place) => {
      const rest = complete(place.verbs.length > 0 ? place.verbs.map(({ word }) => word) : place.argument);
      return `        ${quoted(pathOf(place))}) if [[ $word == -* ]]; then words=${quoted(wordsOf(place.options))}; else ${rest}; fi ;;`;
    }),
    '      esac',
    '      ;;',
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
    '  if [[ $files ]]; then',
    // bash 3, which macOS has, quotes no file names.
    '    compopt -o filenames 2>/dev/null',
    "    local IFS=$'\\n'",
    '    COMPREPLY=($(compgen -f -- "$word"))',
    '  fi',
    '}',
    `complete -F _${name} ${name}`,
  ];
};

const zsh = (name: string, places: readonly Place[]): readonly string[] => {
  const described = (words: readonly Word[]): string =>
    words.map(({ word, description }) => quoted(`${word}:${description}`)).join(' ');
  const complete = (value: Candidates): string =>
    value === 'files' ? '_files; return' : value.length === 0 ? 'return' : `compadd -- ${value.join(' ')}; return`;
  return [
    `#compdef ${name}`,
    `_${name}() {`,
    "  local verb='' i",
    '  local -a found',
    ...verbLoop(places, 2, 'CURRENT', 'words'),
    '  case "$verb $words[CURRENT-1]" in',
    ...valueCases(places, complete),
    '  esac',
    '  case "$verb" in',
    ...places.map((place) => {
      const rest = place.verbs.length > 0 ? `found=(${described(place.verbs)})` : complete(place.argument);
      return `    ${quoted(pathOf(place))}) if [[ $PREFIX == -* ]]; then found=(${described(place.options)}); else ${rest}; fi ;;`;
    }),
    '  esac',
    `  _describe ${name} found`,
    '}',
    `compdef _${name} ${name}`,
  ];
};

const fish = (name: string, places: readonly Place[]): readonly string[] => {
  // A backslash and a single quote are all that single quotes of fish leave special.
  const text = (words: string): string => `'${words.replace(/[\\']/g, '\\$&')}'`;
  const complete = (value: Candidates | undefined): string => {
    if (value === undefined) return '';
    if (value === 'files') return ' -rF';
    return value.length === 0 ? ' -x' : ` -xa ${text(value.join(' '))}`;
  };
  return [
    `complete -c ${name} -f`,
    ...places.flatMap(({ path, verbs, options, argument }) => {
      const seen = path.map((verb) => `__fish_seen_subcommand_from ${verb}`);
      const notYet = verbs.length === 0 ? [] : [`not __fish_seen_subcommand_from ${wordsOf(verbs)}`];
      const here = `complete -c ${name} -n ${text([...seen, ...notYet].join('; and '))}`;
      return [
        ...verbs.map(({ word, description }) => `${here} -a ${word} -d ${text(description)}`),
        ...(argument === 'files' ? [`${here} -F`] : []),
        ...(argument === 'files' || argument.length === 0 ? [] : [`${here} -a ${text(argument.join(' '))}`]),
        ...options.map(
          ({ word, description, value }) =>
            `${here} -l ${word.replace(/^--/, '')} -d ${text(description)}${complete(value)}`,
        ),
      ];
    }),
  ];
};

const generators = { bash, zsh, fish } satisfies Record<
  Shell,
  (name: string, places: readonly Place[]) => readonly string[]
>;

/** Prints the script that teaches a shell the verbs and options of a command line. */
export const completion = (program: Command, shell: Shell, output: Output): Exit => {
  for (const line of generators[shell](program.name(), placesOf(program))) output.line(line);
  return 'ok';
};
