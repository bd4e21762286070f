import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createNode, LAB_DIRECTORY, type LabNode, writeAwsConfig } from '#local/lab/node';
import type { ManagedInstance } from '#local/ssm/instance';

/** Nodes whose writable layer lies there: their first process holds it open as descriptor 9. */
const nodesOn = (directory: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(join('/proc', pid, 'fd', '9')).includes(directory);
    } catch {
      return false; // it has ended meanwhile
    }
  });

const makeNode = async (name: string, options: Partial<Parameters<typeof createNode>[0]> = {}): Promise<LabNode> => {
  const node = await createNode({
    name,
    instanceId: `i-0000000000000${name}`,
    hostname: `${name}.example.com`,
    address: '127.10.1.1',
    ...options,
  });
  onTestFinished(() => node.destroy());
  return node;
};

describe('a lab node', () => {
  let node: LabNode;

  beforeAll(async () => {
    node = await createNode({
      name: 'one',
      instanceId: 'i-00000000000000001',
      hostname: 'one.example.com',
      address: '127.10.1.11',
    });
  });
  afterAll(() => node.destroy());

  it('is what the SSM stand-in takes for a managed instance', () => {
    const instance: ManagedInstance = node;
    expect(instance).toMatchObject({ computerName: 'one.example.com', ipAddress: '127.10.1.11', online: true });
  });

  it('knows its own name and address', async () => {
    const { stdout } = await node.exec('hostname -f; getent ahostsv4 one | cut -d " " -f 1 | uniq');
    expect(stdout).toBe('one.example.com\n127.10.1.11\n');
  });

  it('keeps what it writes from the host and from other nodes', async () => {
    const other = await makeNode('two');
    await node.exec('echo changed >/etc/issue; touch /etc/of-node-one /tmp/file /run/file; rm /etc/debian_version');
    const listing = 'ls /etc/of-node-one /tmp /run/file /etc/debian_version 2>/dev/null';
    expect((await node.exec(listing)).stdout).toBe('/etc/of-node-one\n/run/file\n\n/tmp:\nfile\n');
    expect((await other.exec(listing)).stdout).toBe('/etc/debian_version\n\n/tmp:\n');
    expect(existsSync('/etc/of-node-one')).toBe(false);
    expect(existsSync('/etc/debian_version')).toBe(true);
  });

  it('sees no process but its own', async () => {
    // No pipe: its other end might not be sort yet when ps looks.
    const { stdout } = await node.exec('ps -e -o pid=,comm= >/run/processes; sort -n /run/processes');
    expect(stdout.replaceAll(/ +/g, ' ')).toMatch(/^ 1 tini\n \d+ sleep\n \d+ sh\n \d+ ps\n$/);
  });

  it('offers its files to the host', async () => {
    await writeFile(node.path('/etc/from-host'), 'hello');
    expect((await node.exec('cat /etc/from-host')).stdout).toBe('hello');
  });

  it('tells exit code, output and errors of a command', async () => {
    expect(await node.exec('echo out; echo error >&2; exit 3')).toEqual({
      code: 3,
      stdout: 'out\n',
      stderr: 'error\n',
    });
  });

  it('ends a command that takes too long', async () => {
    await expect(node.exec('sleep 1000 & sleep 1000', { timeoutSeconds: 0.2 })).rejects.toThrow('no end after 0.2 s');
    await vi.waitFor(async () => expect((await node.exec('pgrep -f "[s]leep 1000"')).code).toBe(1), {
      timeout: 30_000,
    });
  });

  it('reaps the orphans of scripts', async () => {
    await node.exec('(setsid sleep 0.01 >/dev/null 2>&1 &)');
    await vi.waitFor(async () => expect((await node.exec('ps -e -o comm=')).stdout).not.toMatch('sleep\nsleep'), {
      timeout: 30_000,
    });
    expect((await node.exec('ps -e -o stat=')).stdout).not.toContain('Z');
  });

  it('runs a script with the directory, modes and environment of the SSM agent', async () => {
    const script = node.run(
      `#!/bin/bash
       pwd; umask; stat -c '%a %U %n' "$0" "$(dirname "$0")"; tr '\\0' '\\n' </proc/$PPID/environ; readlink /proc/self/fd/0; exit 7`,
      '11111111-2222-3333-4444-555555555555',
    );
    const directory =
      '/var/lib/amazon/ssm/i-00000000000000001/document/orchestration/11111111-2222-3333-4444-555555555555' +
      '/awsrunShellScript/0.awsrunShellScript';
    expect(await text(script.stdout)).toBe(
      [
        '/usr/bin',
        '0022',
        `700 root ${directory}/_script.sh`,
        `700 root ${directory}`,
        'PATH=/sbin:/usr/sbin:/bin:/usr/bin',
        'LANG=en_US.UTF-8',
        'INVOCATION_ID=f00dfeedf00dfeedf00dfeedf00dfeed',
        'JOURNAL_STREAM=9:12345',
        'SSM_COMMAND_ID=11111111-2222-3333-4444-555555555555',
        'AWS_SSM_INSTANCE_ID=i-00000000000000001',
        'AWS_SSM_REGION_NAME=us-east-1',
        '/dev/null',
        '',
      ].join('\n'),
    );
    expect(await script.exit).toEqual({ code: 7, signal: null });
  });

  it('kills the whole process group of a script and nothing else', async () => {
    const bystander = node.run('exec sleep 2001', 'bystander');
    const script = node.run('trap "" TERM; sleep 2002 & (sleep 2003 | cat) & echo started; wait', 'victim');
    await once(script.stdout, 'data');
    script.kill();
    expect((await script.exit).code).not.toBe(0);
    await vi.waitFor(async () => expect((await node.exec('pgrep -a sleep')).stdout).not.toMatch(/200[23]/), {
      timeout: 30_000,
    });
    expect((await node.exec('pgrep -a sleep')).stdout).toMatch('sleep 2001');
    bystander.kill();
    await bystander.exit;
  });

  it('kills a script that has hardly begun', async () => {
    const script = node.run('sleep 2004', 'early');
    script.kill();
    expect((await script.exit).code).not.toBe(0);
  });

  it('lets the AWS CLI find the endpoint of its configuration, even without HOME', async () => {
    const requests: string[] = [];
    const server = createServer((request, response) => {
      requests.push(`${request.method} ${request.headers.host} ${request.url?.split('?')[0]}`);
      response.setHeader('content-type', 'application/xml');
      response.end(
        '<ListBucketResult><Name>holdfast-vault</Name><Contents><Key>a/b</Key><Size>5</Size>' +
          '<LastModified>2026-11-20T02:00:00.000Z</LastModified></Contents></ListBucketResult>',
      );
    });
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    await writeAwsConfig(node, {
      endpointUrl: `http://127.0.0.1:${address.port}`,
      region: 'us-east-1',
      accessKeyId: 'node',
      secretAccessKey: 'secret',
    });
    const script = node.run('PATH=$PATH:/usr/local/bin; aws s3 ls s3://holdfast-vault --recursive', 'aws');
    const [stdout, stderr] = await Promise.all([text(script.stdout), text(script.stderr)]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/ 5 a\/b\n$/);
    expect(requests).toEqual([`GET 127.0.0.1:${address.port} /holdfast-vault`]);
  });
});

describe('the life of a lab node', () => {
  it('shows its layers over the host, the first on top, all as one file system', async () => {
    const layers = mkdtempSync(join(LAB_DIRECTORY, 'test-'));
    onTestFinished(() => rm(layers, { recursive: true, force: true }));
    for (const layer of ['top', 'bottom']) {
      await mkdir(join(layers, layer, 'etc'), { recursive: true });
      await writeFile(join(layers, layer, 'etc/both'), layer);
      await writeFile(join(layers, layer, 'etc', layer), '');
    }
    const node = await makeNode('layered', { layers: [join(layers, 'top'), join(layers, 'bottom')] });
    const { stdout } = await node.exec(
      'cat /etc/both; ls /etc/top /etc/bottom /etc/fstab /etc/passwd; stat -c %d / /etc/top /etc/passwd /bin/tar | uniq | wc -l',
    );
    expect(stdout).toMatch(/^top\/etc\/bottom\n(\/etc\/fstab\n)?\/etc\/passwd\n\/etc\/top\n1\n$/);
  });

  it('leaves neither mounts nor a disk nor processes after it was destroyed', async () => {
    const directory = mkdtempSync(join(LAB_DIRECTORY, 'test-'));
    const node = await makeNode('gone', { directory });
    const script = node.run('sleep 3001', 'left');
    const pid = node.path('/').split('/')[2] ?? '';
    expect(nodesOn(directory)).toContain(pid);
    await node.destroy();
    expect((await script.exit).code).not.toBe(0);
    await vi.waitFor(() => expect(nodesOn(directory)).toEqual([]), { timeout: 30_000 });
    expect(existsSync(join('/proc', pid))).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });

  it('is offline after a power cut and finds its disk again after a boot', async () => {
    const node = await makeNode('phoenix');
    await node.exec('echo kept >/etc/kept; echo lost >/run/lost');
    const script = node.run('sleep 3002', 'cut');
    node.kill();
    expect(node.online).toBe(false);
    expect((await script.exit).code).not.toBe(0);
    await node.stop();
    await expect(node.exec('true')).rejects.toThrow('powered off');
    await node.boot();
    expect(node.online).toBe(true);
    expect((await node.exec('cat /etc/kept; ls /run/lost')).stdout).toBe('kept\n');
  });

  it('dies with its owner, however that ends, and its disk is removed by the next one', async () => {
    const owner = spawn(
      process.execPath,
      [
        ...['--input-type=module', '-e'],
        `import { createNode } from '#local/lab/node';
         const node = await createNode({ name: 'orphan', instanceId: 'i-1', hostname: 'orphan', address: '127.10.1.3' });
         await node.exec('setsid sleep 3003 >/dev/null 2>&1 &');
         console.log(node.path('/'));
         setInterval(() => undefined, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const root = String(await once(owner.stdout, 'data')).trim();
    const directory = join(LAB_DIRECTORY, 'nodes', String(owner.pid));
    expect(existsSync(root)).toBe(true);
    expect(nodesOn(directory)).not.toEqual([]);
    owner.kill('SIGKILL');
    await vi.waitFor(() => expect([nodesOn(directory), existsSync(root)]).toEqual([[], false]), { timeout: 30_000 });

    expect(existsSync(directory)).toBe(true);
    await makeNode('heir');
    expect(existsSync(directory)).toBe(false);
  });

  it('says why it could not be made', async () => {
    await expect(makeNode('broken', { layers: ['/nonexistent'] })).rejects.toThrow(/did not boot: .*\/nonexistent/s);
  });

  it('takes a directory outside of the repository', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lab-'));
    const node = await makeNode('elsewhere', { directory });
    await node.exec('echo there >/etc/there');
    expect((await stat(join(node.writableLayer, 'etc/there'))).size).toBe(6);
  });
});
