import { describe, expect, it } from 'vitest';
import { useJujuBench } from './juju-bench.ts';

const bench = useJujuBench('4.0', 1, { machines: 0 });

describe('a backup of Juju 4.0', () => {
  it('is refused with the reason and what to do instead', async () => {
    const { status, error, cause } = await bench().backUp();
    expect({ status, error, cause }).toMatchObject({
      status: 'FAILED',
      cause: expect.stringMatching(/UnsupportedJujuError: Juju 4\.0\.1 keeps its state in Dqlite.*EBS snapshot/),
    });
  });
});
