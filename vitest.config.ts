import { defineConfig } from 'vitest/config';

/**
 * unit    pure rules, adapters, documents with stand-in commands: seconds, no root needed
 * infra   the synthesized stacks
 * local   whole runs on the lab: real PostgreSQL, processes, S3 (needs what `local/setup.sh` installs, and root)
 * long    those of them that take too long for every change, and the tests of the lab's own stand-ins: `npm run test:all`
 * deploy  the synthesized templates in an AWS emulator
 */
const lab = {
  // Limits are for what hangs: a busy machine takes its time.
  testTimeout: 400_000,
  hookTimeout: 400_000,
  // A lab mostly waits: two of them use two cores better than one.
  maxWorkers: 2,
};
const long = [
  'faults-abort',
  'faults-agent',
  'faults-node',
  'faults-restore-aborted',
  'faults-upgrade',
  'juju-1.20',
  'juju-1.20-ha',
  'juju-1.25',
  'juju-3.6',
  'juju-3.6-ha',
  'juju-aborted',
  'lab-2016',
  'lab-juju',
  'lab-node',
  'lab-split',
  'restore-more',
  'split',
  'upgrade',
].map((name) => `test/local/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // Limits are for what hangs: a busy machine takes its time.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 30_000 } },
        },
      },
      { test: { name: 'infra', include: ['test/infra/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 } },
      { test: { ...lab, name: 'local', include: ['test/local/**/*.test.ts'], exclude: long } },
      { test: { ...lab, name: 'long', include: long } },
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
