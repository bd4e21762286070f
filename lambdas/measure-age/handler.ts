import * as z from 'zod';
import { s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { backupMoment } from '#domain/naming';
import { newestGood } from '../catalog.ts';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { Env } from './env.ts';
import { publishAge } from './publish-age.ts';

const vault = s3Bucket(s3Client(), Env.parse(process.env).VAULT_BUCKET);
const config = deployedConfig();

/** A path of its own: it reads what was committed and nothing of any run. A system without a backup publishes nothing, which its alarm takes for overdue. */
export const handler = entry(z.unknown(), async () => {
  const ages: Record<string, number> = {};
  for (const system of Object.keys(config.systems)) {
    const newest = (await newestGood(vault, system))?.backup;
    if (newest === undefined) continue;
    const seconds = Math.max(0, Math.round((Date.now() - backupMoment(newest).getTime()) / 1000));
    ages[system] = seconds;
    publishAge(system, seconds);
  }
  return ages;
});
