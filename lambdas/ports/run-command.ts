import { ssmClient } from '#aws/clients';
import { ssmRunCommand } from '#aws/run-command';
import type { RunCommandOf, VerbWith } from '../verbs.ts';

export const runCommandOf = <V extends VerbWith<'runCommand'>>(_verb: V): RunCommandOf<V> => ssmRunCommand(ssmClient());
