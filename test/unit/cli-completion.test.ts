import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Argument, Command, Option } from '@commander-js/extra-typings';
import { afterAll, describe, expect, it } from 'vitest';
import { completion, type Shell } from '../../cli/completion.ts';
import { recordedOutput } from './cli-fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));

const program = new Command('holdfast').version('1');
const config = program.command('config').description("what is configured, a person's choice");
config.command('check').argument('[file]').option('--json', 'as JSON');
program
  .command('restore')
  .argument('<system>')
  .addOption(new Option('--databases <mode>', 'how').choices(['keep', 'globals']))
  .option('--config <file>', 'where')
  .option('--region <region>', 'which')
  .option('--system <system>', 'of what')
  .option('--confirm <system>', 'typed again');
program.command('completion').addArgument(new Argument('<shell>').choices(['bash', 'zsh']));

const script = (shell: Shell): string => {
  const { output, stdout } = recordedOutput();
  completion(program, shell, output);
  return stdout();
};

/** What the real bash offers for the last of the words. */
const offered = (...words: string[]): string[] => {
  const file = join(folder, 'holdfast.bash');
  writeFileSync(file, script('bash'));
  const press = `. ${file}; COMP_WORDS=("$@"); COMP_LINE="$*"; COMP_CWORD=$(($# - 1)); _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = execFileSync('bash', ['-c', press, 'bash', 'holdfast', ...words], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter) },
  });
  return printed.split('\n').filter((line) => line !== '');
};

describe('in bash', () => {
  it('offers verbs, then those below them', () => {
    expect(offered('')).toEqual(['config', 'restore', 'completion']);
    expect(offered('con')).toEqual(['config']);
    expect(offered('config', '')).toEqual(['check']);
  });

  it('offers the options of the verb, not those of another', () => {
    expect(offered('restore', 'pe-main', '--')).toEqual([
      ...['--databases', '--config', '--region', '--system', '--confirm', '--help'],
    ]);
    expect(offered('config', 'check', '--')).toEqual(['--json', '--help']);
    expect(offered('-')).toEqual(['--version', '--help']);
  });

  it('offers the values that an option or an argument may have, and nothing where it knows none', () => {
    expect(offered('restore', 'pe-main', '--databases', '')).toEqual(['keep', 'globals']);
    expect(offered('completion', 'z')).toEqual(['zsh']);
    expect(offered('restore', 'pe-main', '--region', '')).toEqual([]);
    expect(offered('restore', '')).toEqual([]);
  });

  it('offers the names that the deployment knows, where one belongs', () => {
    mkdirSync(join(folder, 'bin'));
    writeFileSync(
      join(folder, 'bin', 'holdfast'),
      '#!/bin/sh\n[ "$*" = "names systems" ] && echo pe-main && echo juju\n',
      {
        mode: 0o755,
      },
    );
    expect(offered('restore', '')).toEqual(['pe-main', 'juju']);
    expect(offered('restore', 'p')).toEqual(['pe-main']);
    expect(offered('restore', '--system', 'j')).toEqual(['juju']);
    expect(offered('restore', 'pe-main', '')).toEqual([]);
    // What stands there names another deployment, and a confirmation is to be typed.
    expect(offered('restore', '--region', 'eu-west-1', '--system', '')).toEqual([]);
    expect(offered('restore', '--confirm', '')).toEqual([]);
  });

  it('offers no names, and says nothing, when the deployment does not answer', () => {
    writeFileSync(join(folder, 'bin', 'holdfast'), '#!/bin/sh\necho no >&2; exit 7\n', { mode: 0o755 });
    expect(offered('restore', '')).toEqual([]);
  });

  it('offers files where one is wanted, with spaces in their names', () => {
    writeFileSync(join(folder, 'holdfast test.yaml'), '');
    expect(offered('config', 'check', 'holdfast t')).toEqual(['holdfast test.yaml']);
    expect(offered('restore', 'pe-main', '--config', 'holdfast t')).toEqual(['holdfast test.yaml']);
  });

  it('runs nothing of what was typed', () => {
    const trap = join(folder, 'trap');
    offered('restore', `$(touch ${trap})`, `;touch ${trap};`, '--');
    expect(existsSync(trap)).toBe(false);
  });
});

describe.each(['bash', 'zsh', 'fish'] as const)('the script for %s', (shell) => {
  it('has every verb, option and value', () => {
    for (const word of ['config', 'check', 'restore', 'databases', 'globals', 'json', 'version'])
      expect(script(shell)).toContain(word);
  });

  it('keeps a quote in a description a quote', () => {
    const escaped = { bash: undefined, zsh: "a person'\\''s choice", fish: "a person\\'s choice" }[shell];
    if (escaped === undefined) expect(script(shell)).not.toContain('person');
    else expect(script(shell)).toContain(escaped);
  });
});
