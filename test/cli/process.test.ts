import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { program } from '../support/programs.ts';
import { workDirectory } from './harness.ts';
import type { Envelope } from './harness.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const home = workDirectory();
const env = { PATH: process.env['PATH'], HOME: home };

function run(argv: readonly string[], command = 'exec node "$0" "$@"') {
  return spawnSync('sh', ['-c', command, MAIN, ...argv], { cwd: home, env, encoding: 'utf8', timeout: 20_000 });
}

/** Milliseconds of the fastest of several runs: whatever else the machine does only makes it slower. */
function fastest(argvs: readonly (readonly string[])[]): readonly number[] {
  const best = argvs.map(() => Infinity);
  for (let round = 0; round < 12; round += 1)
    argvs.forEach((argv, index) => {
      const begun = performance.now();
      spawnSync(process.execPath, argv, { env });
      best[index] = Math.min(best[index] ?? Infinity, performance.now() - begun);
    });
  return best;
}

/** With `-v` it says that it has begun; a moment later it waits for the file. */
async function begun(child: ChildProcess): Promise<void> {
  if (child.stderr !== null) await once(child.stderr, 'data');
  await new Promise((resolve) => setTimeout(resolve, 500));
}

/** A manifest whose one file is served by somebody who begins and never ends; answers the process once it waits there. */
async function stuckInFetch(
  argv: readonly string[],
  options: readonly string[] = [],
): Promise<{ child: ChildProcess; outputs: Promise<readonly string[]>; stop: () => void }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': '1000000' }).write('x'.repeat(1000));
    server.emit('stuck');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  writeFileSync(
    join(home, 'dray.yaml'),
    `apiVersion: drayage/v1\nkind: Manifest\nname: stuck\nfiles: [{url: "http://127.0.0.1:${port}/a.bin"}]\n`,
  );
  const child = spawn(process.execPath, [...options, MAIN, ...argv], {
    cwd: home,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const outputs = Promise.all([child.stdout, child.stderr].map(text));
  await once(server, 'stuck');
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { child, outputs, stop };
}

describe.skipIf(!existsSync(MAIN))('the dray process (dist/ is not built)', () => {
  test('starts within 25 ms of node itself', { retry: 3 }, () => {
    const [bare = 0, version = 0] = fastest([
      ['-e', '0'],
      [MAIN, '--version'],
    ]);
    expect(version - bare).toBeLessThan(25);
  });

  test('prints help and version', () => {
    expect(run(['--version'])).toMatchObject({ status: 0, stdout: 'dray 0.1.0\n', stderr: '' });
    expect(run(['pack', '--help']).stdout).toContain('Examples:');
    expect(run(['pack']).status).toBe(2);
  });

  test.each([
    ['SIGINT', 130, 'interrupted'],
    ['SIGTERM', 143, 'terminated'],
  ] as const)('%s stops it cleanly within two seconds with %d', async (signal, status, code) => {
    const { child, outputs, stop } = await stuckInFetch(['lock', '--json']);
    const begun = performance.now();
    child.kill(signal);
    const [exit] = (await once(child, 'exit')) as [number | null];
    expect([exit, performance.now() - begun < 2000]).toEqual([status, true]);
    const [out = '', err] = await outputs;
    expect(JSON.parse(out) as Envelope).toMatchObject({ dray: 1, verb: 'lock', exit: status, error: { code } });
    expect(err).toContain(`dray: ${code}\nhint: run the same command again; it goes on where it stopped\n`);
    expect(existsSync(join(home, '.dray/store/lock'))).toBe(false);
    stop();
  });

  test.each([
    ['thrown', 'throw new Error("a fault\u001b")'],
    ['rejected', 'void Promise.reject(new Error("a fault\u001b"))'],
  ])('a fault that nobody caught (%s) is one document, one line and a status', async (_, fault) => {
    const { child, outputs, stop } = await stuckInFetch(
      ['lock', '--json'],
      ['--import', `data:text/javascript,process.on("SIGUSR2", () => { ${fault} })`],
    );
    child.kill('SIGUSR2');
    const [exit] = (await once(child, 'exit')) as [number | null];
    const [out = '', err = ''] = await outputs;
    expect(exit).toBe(1);
    expect(JSON.parse(out) as Envelope).toMatchObject({ verb: 'lock', exit: 1, error: { code: 'internal' } });
    expect(err).toContain('dray: a fault\\u001b\nhint: run again with -v and report what it prints\n');
    stop();
  });

  test.skipIf(program('mkfifo') === undefined)('ends also where the kernel does not give a file back', async () => {
    spawnSync('mkfifo', [join(home, 'never.lock')]);
    const child = spawn(process.execPath, [MAIN, 'diff', 'never.lock', 'never.lock', '--json', '-v'], {
      cwd: home,
      env,
    });
    const out = text(child.stdout);
    await begun(child);
    const killed = performance.now();
    child.kill('SIGINT');
    const ended = (await once(child, 'exit')) as [number | null, string | null];
    expect(performance.now() - killed).toBeLessThan(2000);
    // Node cannot end by itself here; of a process that a signal ended every shell says 130.
    expect(ended).toEqual([null, 'SIGINT']);
    expect(JSON.parse(await out)).toMatchObject({ verb: 'diff', exit: 130, error: { code: 'interrupted' } });
  });

  test.skipIf(program('mkfifo') === undefined)('Ctrl-C again does not wait for that', async () => {
    spawnSync('mkfifo', [join(home, 'never.lock')]);
    const child = spawn(process.execPath, [MAIN, 'diff', 'never.lock', 'never.lock', '-v'], { cwd: home, env });
    const ended = once(child, 'exit');
    await begun(child);
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const killed = performance.now();
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.kill('SIGINT');
    await ended;
    expect(performance.now() - killed).toBeLessThan(1000);
  });

  test('does not mind a reader that leaves early', () => {
    const ran = run(['completion', 'bash'], '{ node "$0" "$@"; echo "status $?" >&2; } | head -n 1');
    expect(ran).toMatchObject({
      stdout: '# bash completion for dray; made by `dray completion bash`\n',
      stderr: 'status 0\n',
    });
  });

  test.skipIf(!existsSync('/dev/full'))('says that its output could not be written', () => {
    const ran = run(['completion', 'bash'], 'exec node "$0" "$@" > /dev/full');
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain('the output could not be written: ENOSPC');
  });

  test.skipIf(program('script') === undefined)('asks on a terminal, and shows nothing of the answer', async () => {
    const child = spawn('script', ['-qec', `${process.execPath} ${MAIN} keygen asked`, '/dev/null'], {
      cwd: home,
      env,
    });
    let out = '';
    let asked = 0;
    child.stdout.on('data', (block: Buffer) => {
      out += block.toString();
      if ((out.match(/key: |again: /g) ?? []).length <= asked) return;
      asked += 1;
      child.stdin.write('very secret\r');
    });
    const [status] = (await once(child, 'close')) as [number];
    expect([status, out.includes('very secret'), existsSync(join(home, 'asked.key'))]).toEqual([0, false, true]);
  });
});
