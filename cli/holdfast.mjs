#!/usr/bin/env node
// What is installed as `holdfast`. Plain JavaScript, because the cache has to be there before the first TypeScript is
// loaded: a start then needs neither the type stripper nor the compiler, and takes half as long.
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Node's own default is a folder that other users of the machine could fill for us.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'holdfast'));
const { main } = await import('./main.ts');
await main();
