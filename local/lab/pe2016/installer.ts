import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { pe2016 } from './product.ts';

/** The agent's package that a version brings. */
export const agentVersions = {
  '2016.1.2': '1.4.2',
  '2016.2.1': '1.5.3',
  '2016.4.2': '1.7.1',
  '2016.5.2': '1.8.3',
} as const;

export interface InstallerOptions {
  readonly version?: keyof typeof agentVersions;
}

/** Packs the stand-in of the product's installer as the vendor does, and returns the archive's path. */
export const buildInstaller = async (
  directory: string,
  { version = '2016.4.2' }: InstallerOptions = {},
): Promise<string> => {
  const name = `puppet-enterprise-${version}-debian-12-amd64`;
  const archive = join(directory, `${name}.tar.gz`);
  const versions = join(directory, name);
  await mkdir(versions, { recursive: true });
  await writeFile(join(versions, 'VERSION'), `${version}\n`);
  await writeFile(join(versions, 'AGENT_VERSION'), `${agentVersions[version]}\n`);
  await promisify(execFile)('tar', [
    ...['--create', '--gzip', '--owner=root', '--group=root', '--exclude=*.ts', '--file', archive],
    `--transform=flags=r;s|^${basename(pe2016.directory)}|${name}|`,
    ...['--directory', dirname(pe2016.directory), basename(pe2016.directory)],
    ...['--directory', directory, name],
  ]);
  await rm(versions, { recursive: true });
  return archive;
};
