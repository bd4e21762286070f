import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';

/**
 * What a shell completes, generated from the command line itself: verbs, options and their values without a process. Names of
 * systems, backups and runs are asked of the deployment by `holdfast names`, which runs nothing of what was typed.
 */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Word {
  readonly word: string;
  readonly description: string;
}

/** What a shell can complete in a place: files, names of a deployment, or one of a few words; none where it can't know any. */
type Candidates = 'files' | { readonly names: Names } | readonly string[];

/** Names that a deployment knows. */

export type Names = 'systems' | 'backups' | 'runs';

const asked: Readonly<Record<string, Names>> = { system: 'systems', backup: 'backups', run: 'runs' };

/** What may follow a verb, `config check`, or the program alone, whose path is empty. */
interface Place {
  readonly path: readonly string[];
  readonly verbs: readonly Word[];
  readonly options: readonly (Word & { readonly value?: Candidates })[];
  readonly argument: Candidates;
}

const candidatesOf = (name: string, choices: readonly string[] = []): Candidates => {
  const names = asked[name];
  if (names !== undefined) return { names };
  return name === 'file' ? 'files' : choices;
};

/** Asks the deployment that the environment names; quietly, since nobody has pressed Tab to read an error. */
const namesCommand = (name: string, names: string): string => `command ${name} names ${names} 2>/dev/null </dev/null`;

/** Options that lead to another deployment than the environment does: after one of them no names are known. */
const elsewhere = `*' --region'* | *' --profile'* | *' --endpoint-url'*`;

const placesOf = (command: CommandUnknownOpts, path: readonly string[] = []): readonly Place[] => {
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
          // A confirmation is worth something because it is typed.
          ...(value !== undefined && { value: long === '--confirm' ? [] : candidatesOf(value, argChoices) }),
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

/** What completes the argument of a verb: a name only where the first one belongs. */
const argumentOf = ({ verbs, argument }: Place, previous: string, complete: (value: Candidates) => string): string => {
  const rest = complete(verbs.length > 0 ? verbs.map(({ word }) => word) : argument);
  return verbs.length === 0 && typeof argument === 'object' && 'names' in argument
    ? `[[ ${previous} != "\${verb##* }" ]] || ${rest}`
    : rest;
};

/** A case for each option that takes a value. */
const valueCases = (places: readonly Place[], complete: (value: Candidates) => string): readonly string[] =>
  places.flatMap((place) =>
    place.options.flatMap(({ word, value }) =>
      value === undefined ? [] : [`    ${quoted(`${pathOf(place)} ${word}`)}) ${complete(value)} ;;`],
    ),
  );

const bash = (name: string, places: readonly Place[]): readonly string[] => {
  const complete = (value: Candidates): string => {
    if (value === 'files') return 'files=yes';
    return 'names' in value ? `names=${value.names}` : `words=${quoted(value.join(' '))}`;
  };
  return [
    `_${name}() {`,
    `  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} verb='' words='' files='' names='' i`,
    ...verbLoop(places, 1, 'COMP_CWORD', 'COMP_WORDS'),
    '  case "$verb $previous" in',
    ...valueCases(places, complete),
    '    *)',
    '      case "$verb" in',
    ...places.map((place) => {
      const rest = argumentOf(place, '$previous', complete);
      return `        ${quoted(pathOf(place))}) if [[ $word == -* ]]; then words=${quoted(wordsOf(place.options))}; else ${rest}; fi ;;`;
    }),
    '      esac',
    '      ;;',
    '  esac',
    '  case "$names $COMP_LINE" in',
    `    ' '* | ${elsewhere}) ;;`,
    `    *) words=$(${namesCommand(name, '"$names"')}) ;;`,
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
  const complete = (value: Candidates): string => {
    if (value === 'files') return '_files; return';
    if ('names' in value) return `names=${value.names}`;
    return value.length === 0 ? 'return' : `compadd -- ${value.join(' ')}; return`;
  };
  return [
    `#compdef ${name}`,
    `_${name}() {`,
    "  local verb='' names='' i",
    '  local -a found',
    ...verbLoop(places, 2, 'CURRENT', 'words'),
    '  case "$verb $words[CURRENT-1]" in',
    ...valueCases(places, complete),
    '  esac',
    '  case "$verb" in',
    ...places.map((place) => {
      const rest =
        place.verbs.length > 0 ? `found=(${described(place.verbs)})` : argumentOf(place, '$words[CURRENT-1]', complete);
      return `    ${quoted(pathOf(place))}) if [[ $PREFIX == -* ]]; then found=(${described(place.options)}); else ${rest}; fi ;;`;
    }),
    '  esac',
    '  case "$names $words[*]" in',
    `    ' '* | ${elsewhere}) ;;`,
    `    *) compadd -- \${(f)"$(${namesCommand(name, '$names')})"}; return ;;`,
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
    if ('names' in value) return ` -xa '(${namesCommand(name, value.names)})'`;
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
        ...(typeof argument === 'object' && 'names' in argument
          ? [`${here} -a '(${namesCommand(name, argument.names)})'`]
          : argument === 'files' || argument.length === 0
            ? []
            : [`${here} -a ${text(argument.join(' '))}`]),
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
export const completion = (program: CommandUnknownOpts, shell: Shell, output: Output): Exit => {
  for (const line of generators[shell](program.name(), placesOf(program))) output.line(line);
  return 'ok';
};
