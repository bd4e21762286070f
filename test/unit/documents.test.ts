import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { composeDocument } from '#documents/compose';
import { documents } from '#domain/systems/documents';

/** What no script may do, whatever it is for. */

const directory = new URL('../../documents/', import.meta.url);
const lines = globSync('**/*.sh', { cwd: directory }).flatMap((file) =>
  readFileSync(new URL(file, directory), 'utf8')
    .split('\n')
    .map((text, index) => ({ at: `${file}:${index + 1}: ${text.trim()}`, text }))
    .filter(({ text }) => !/^\s*#/.test(text)),
);

/** The lines in which a tool goes through a tree in one way and not in the other. */
const walks = (tool: RegExp, allowed: RegExp): readonly string[] =>
  lines.filter(({ text }) => tool.test(text) && !allowed.test(text)).map(({ at }) => at);

describe('no document goes through a tree', () => {
  it('and removes on another file system than the one it was called for', () => {
    expect(walks(/\brm\s+(-\w+\s+)*-\w*[rR]|\brm\s.*--recursive|\bfind\b.*-delete/, /--one-file-system/)).toEqual([]);
  });

  it('and copies from another file system', () => {
    expect(walks(/\bcp\s+(-\w+\s+)*-\w*[aRr]/, /\bcp -\w*x|--one-file-system/)).toEqual([]);
  });

  it('and changes owners or modes by names that others can point elsewhere', () => {
    expect(walks(/\bch(own|mod|grp)\s.*-\w*R/, /(?!)/)).toEqual([]);
  });
});

it('no document writes below /tmp under a name that another user could have put a link at', () => {
  expect(walks(/\/tmp\/[^ ]*\$/, /\bmktemp\b/)).toEqual([]);
});

it('no pipe ends in a reader that goes away before its writer has ended: the writer would die, and the pipe fail', () => {
  expect(walks(/\|\s*(grep\s+(-\w+\s+)*-\w*[qm]|head\b|sed\b[^|]*[;'{ ]q\b)/, /\|\|\s*(grep|head)/)).toEqual([]);
});

describe('a script that may undo a restore', () => {
  it('has what that needs', () => {
    const without = globSync('{shared,puppet,juju}/*.sh', { cwd: directory }).filter((file) => {
      const text = readFileSync(new URL(file, directory), 'utf8');
      return (
        /\b(recover|arm_watchdog|forget_restore|roll_back) /.test(text) &&
        !['paths', 'restore'].every((library) => text.includes(`library/${library}.sh`))
      );
    });
    expect(without).toEqual([]);
  });

  it('carries it as a document, also where a watchdog alone calls it', () => {
    const needed = ['recover', 'roll_back', 'roll_back_path', 'remove_tree', 'rename_path', 'start_recorded'];
    const without = documents.flatMap((contract) => {
      const text = JSON.stringify(composeDocument(contract, 'key'));
      return /\b(arm_watchdog|recover) \\"\$/.test(text)
        ? needed
            .filter((name) => !text.includes(`\n${name}()`) && !text.includes(`"${name}()`))
            .map((name) => `${contract.script}: ${name}`)
        : [];
    });
    expect(without).toEqual([]);
  });
});
