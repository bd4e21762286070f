import { execFile } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCES = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '');

/** Packs the stand-in of the product's installer as the vendor does, and returns the archive's path. */
export const buildInstaller = async (directory: string): Promise<string> => {
  const archive = join(directory, 'puppet-enterprise-3.2.3-debian-12-amd64.tar.gz');
  await promisify(execFile)('tar', [
    ...['--create', '--gzip', '--owner=root', '--group=root', '--exclude=*.ts', '--file', archive],
    ...['--directory', dirname(SOURCES)],
    ...[`--transform=s|^${basename(SOURCES)}|puppet-enterprise-3.2.3-debian-12-amd64|`, basename(SOURCES)],
  ]);
  return archive;
};
