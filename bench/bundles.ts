import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Verb, verbNames } from '#lambdas/verbs';

/** A lambda's bundle: its size, and how long a fresh process needs to import it beyond a bare node. */
export interface Bundle {
  readonly verb: Verb;
  readonly bytes: number;
  readonly milliseconds: number;
}

const environment = { PATH: process.env['PATH'], AWS_REGION: 'us-east-1', STATE_BUCKET: 's', VAULT_BUCKET: 'v' };

const importing = (file: string | undefined, directory: string): number => {
  const times = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    execFileSync(
      process.execPath,
      ['--input-type=module', '--eval', file === undefined ? '' : `await import('${file}')`],
      {
        env: { ...environment, HOLDFAST_CONFIG: join(directory, 'holdfast.json') },
        stdio: 'ignore',
      },
    );
    return performance.now() - begun;
  });
  return times.toSorted((a, b) => a - b)[2] ?? 0;
};

/** Bundles every verb as the deployment does. */
export const benchBundles = async (config: object): Promise<readonly Bundle[]> => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  writeFileSync(join(directory, 'holdfast.json'), JSON.stringify(config));
  try {
    const bare = importing(undefined, directory);
    const bundles: Bundle[] = [];
    for (const verb of verbNames) {
      const outfile = join(directory, `${verb}.mjs`);
      await build({
        entryPoints: [new URL(`../lambdas/${verb}/handler.ts`, import.meta.url).pathname],
        outfile,
        bundle: true,
        minify: true,
        platform: 'node',
        target: 'node24',
        format: 'esm',
        mainFields: ['module', 'main'],
        banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
      });
      bundles.push({ verb, bytes: statSync(outfile).size, milliseconds: importing(outfile, directory) - bare });
    }
    return bundles;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};
