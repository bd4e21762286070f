import { defineConfig } from 'vitest/config';

/**
 * unit     pure rules, adapters, documents with stand-in commands: seconds, no root needed
 * infra    the synthesized stacks
 * local    whole runs on the lab: real PostgreSQL, processes, S3 (needs what `local/setup.sh` installs, and root)
 * deploy   the synthesized templates in an AWS emulator
 * upgrade  the upgrade of a large environment; juju  whole runs on the lab's Juju; stand-ins  the lab's own stand-ins:
 *          `npm run test:all`, too long for every change
 */
const lab = {
  testTimeout: 180_000,
  hookTimeout: 300_000,
  // A lab mostly waits: two of them use two cores better than one.
  maxWorkers: 2,
};
const upgrade = 'test/local/*upgrade.test.ts';
const juju = 'test/local/juju-*.test.ts';
const standIns = ['test/local/lab-juju.test.ts', 'test/local/lab-2016.test.ts', 'test/local/lab-split.test.ts'];

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { test: { name: 'infra', include: ['test/infra/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 } },
      {
        test: { ...lab, name: 'local', include: ['test/local/**/*.test.ts'], exclude: [upgrade, juju, ...standIns] },
      },
      { test: { ...lab, name: 'upgrade', include: [upgrade] } },
      { test: { ...lab, name: 'juju', include: [juju] } },
      { test: { ...lab, name: 'stand-ins', include: standIns } },
      {
        test: {
          name: 'deploy',
          include: ['test/deploy/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
