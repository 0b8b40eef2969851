import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../support/bundles.ts';
import { DRAY, dray, drayJson } from '../support/cli.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';
import { workDirectory } from './harness.ts';

/** Sums on threads of the command as it is packed: stopped, or deprived of their thread, just when one begins. */

const home = workDirectory();
// Every medium is fast enough for threads where no time passes.
const when = (act: string): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`performance.now = () => 0; process.once('worker', (worker) => { ${act} })`)}`,
});
const STOP = when("setImmediate(() => process.kill(process.pid, 'SIGINT'))");
const DIE = when('setImmediate(() => worker.terminate())');

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
  upstream.files.set('/far.bin', noise(40_000_000, 'far'));
  for (const name of ['a', 'b', 'c']) writeFileSync(join(home, `${name}.bin`), noise(40_000_000, name));
  const url = `{url: "${upstream.url}/far.bin"}`;
  writeFileSync(
    join(home, 'dray.yaml'),
    `apiVersion: drayage/v1\nkind: Manifest\nname: large\nfiles: ["*.bin", ${url}]\n`,
  );
  for (const words of [
    ['keygen', 'k', '--no-password'],
    ['lock', '--store', 'first'],
    ['pack', 'out', '--store', 'first', '--key', 'k.key'],
  ])
    expect((await dray(words, { cwd: home })).status).toBe(0);
}, 120_000);
afterAll(() => upstream.stop());

const VERBS: readonly (readonly [verb: string, words: readonly string[]])[] = [
  ['verify', ['verify', 'out', '--key', 'k.pub']],
  ['load', ['load', 'out', '--key', 'k.pub', '--state', 'state', '--to', 'directory:far']],
  ['fetch', ['fetch', '--store', 'second']],
  ['pack', ['pack', 'again', '--store', 'first', '--key', 'k.key']],
];

/** What a verb that ended by itself must have taken away. */
const leftovers = (): readonly string[] =>
  readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /(?:^|\/)(?:\.dray-tmp-[^/]*|lock)$/.test(path),
  );

describe('a thread that hashes', () => {
  it('is found by the command, whose file lies beside the code that begins it', () => {
    const dist = dirname(dirname(DRAY));
    const packed = ['cli/main.js', 'index.js', ...readdirSync(join(dist, 'chunks')).map((name) => `chunks/${name}`)];
    const begins = packed.filter(
      (name) => name.endsWith('.js') && readFileSync(join(dist, name), 'utf8').includes('"./thread.cjs"'),
    );
    expect(begins).toHaveLength(1);
    expect(existsSync(join(dist, dirname(begins[0] ?? ''), 'thread.cjs'))).toBe(true);
  });

  it.each(VERBS)(
    'is stopped by Ctrl-C during %s: 130, nothing left behind, and the next run finishes',
    async (_, words) => {
      const stopped = await drayJson(words, { cwd: home, env: STOP });
      expect([stopped.status, stopped.document]).toMatchObject([130, { exit: 130, error: { code: 'interrupted' } }]);
      expect(leftovers()).toEqual([]);
      expect((await dray(words, { cwd: home })).status).toBe(0);
    },
  );

  it.each(VERBS)('dies during %s: a fault of dray, no damage, and the next run finishes', async (_, words) => {
    for (const made of ['state', 'far', 'second', 'again']) rmSync(join(home, made), { recursive: true, force: true });
    const failed = await drayJson(words, { cwd: home, env: DIE });
    expect([failed.status, failed.document]).toMatchObject([1, { exit: 1, error: { code: 'internal' } }]);
    expect(failed.document).toMatchObject({ error: { message: expect.stringContaining('has ended') as string } });
    expect(leftovers()).toEqual([]);
    expect((await dray(words, { cwd: home })).status).toBe(0);
  });
});
