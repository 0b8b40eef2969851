import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { workDirectory } from '../cli/harness.ts';
import { missing, program } from '../support/programs.ts';
import { random } from '../support/random.ts';
import { LOGIN } from '../support/s3-servers.ts';
import { packForBucket } from './scenes.ts';
import { DRAY, ERRORS, KILLS, Sweep, chosen, isBuilt, run } from './sweep.ts';
import { startWatchedS3 } from './watched-bucket.ts';
import type { WatchedS3 } from './watched-bucket.ts';
import { takenTwice } from './watched-server.ts';

/** A load into a bucket, broken off anywhere: at the enclave's own files, and at every request. The whole with DRAY_TORTURE=full. */

const FULL = process.env['DRAY_TORTURE'] === 'full';
const SEED = Number(process.env['DRAY_SEED'] ?? 1);
const SAMPLE = FULL ? Infinity : 6;
const TIMEOUT = FULL ? 12 * 3_600_000 : 300_000;
const LOAD = ['load', 'out', '--site', 'site.yaml'];
const env = { ...LOGIN, AWS_EC2_METADATA_DISABLED: 'true' };

describe.skipIf(!isBuilt || program('versitygw') === undefined)(`load into a bucket${missing('versitygw')}`, () => {
  let server: WatchedS3;
  let files: Readonly<Record<string, Buffer>> = {};
  beforeAll(async () => {
    server = await startWatchedS3();
  });
  beforeEach(() => server.empty());
  afterAll(() => server.stop());

  const at = (...parts: readonly string[]): string => join(server.data, 'cargo', ...parts);
  const isThere = (name: string): boolean => existsSync(at('pre', name));
  /** What has its name is whole, and an artifact has its marker only when all of it has. */
  const expectWhole = (): void => {
    for (const [name, bytes] of Object.entries(files))
      if (isThere(name)) expect(readFileSync(at('pre', name)).equals(bytes), name).toBe(true);
    if (isThere('example/.dray/m.json'))
      expect(Object.keys(files).filter((name) => !isThere(name) && name.startsWith('example'))).toEqual([]);
    if (isThere('.dray/data.json'))
      expect(Object.keys(files).filter((name) => !isThere(name) && name.startsWith('data'))).toEqual([]);
  };
  const expectAll = (): void => {
    expectWhole();
    expect(Object.keys(files).filter((name) => !isThere(name))).toEqual([]);
    expect(takenTwice(server.taken)).toEqual([]);
    expect(uploads()).toEqual([]);
  };
  /** Uploads that nobody ended, as versitygw keeps them. */
  const uploads = (): readonly string[] => {
    const kept = at('.sgwtmp', 'multipart');
    return existsSync(kept) ? readdirSync(kept) : [];
  };

  test(
    'interrupted at any call that changes a file',
    async () => {
      const sweep = new Sweep({
        name: 'load into a bucket',
        env,
        words: LOAD,
        prepare: async (work) => {
          files = await packForBucket(work, `http://${server.host}`);
        },
        reset: () => server.empty(),
        look: expectWhole,
        finished: expectAll,
      });
      try {
        await sweep.prepare();
        expectAll();
        const faults = chosen(sweep, [...KILLS, ...ERRORS, 'SIGINT', 'SIGTERM'], SAMPLE, SEED);
        for (const fault of faults) expect(await sweep.judge(fault), sweep.callOf(fault)).toEqual([]);
        const [first = '', ...more] = chosen(sweep, ['kill-before', 'kill-after'], 3, SEED + 1);
        expect(await sweep.judge(first, more), `${first} and ${more.join(', ')}`).toEqual([]);
      } finally {
        sweep.remove();
      }
    },
    TIMEOUT,
  );

  test(
    'killed at any request: what the bucket took is not sent again, and what has a name is whole',
    async () => {
      const home = workDirectory();
      files = await packForBucket(home, `http://${server.host}`);
      expect((await run({ words: LOAD, env }, home)).said).toBe('');
      expectAll();
      const all = Array.from({ length: server.requests() * 2 }, (_, place) => ({
        number: (place >> 1) + 1,
        phase: place % 2 === 0 ? 'comes' : 'answered',
      }));
      const next = random(SEED);
      const some = FULL
        ? all
        : Array.from({ length: SAMPLE }, () => all.splice(Math.floor(next() * all.length), 1)[0]!);
      for (const moment of some) {
        rmSync(join(home, 'state'), { recursive: true, force: true });
        server.empty();
        expect([await killedAt(home, moment), moment]).toEqual(['SIGKILL', moment]);
        expectWhole();
        const again = await run({ words: LOAD, env }, home);
        expect([again.status, again.said, moment]).toEqual([0, '', moment]);
        expectAll();
        const { document } = await run({ words: [...LOAD, '--recheck'], env }, home);
        const states = (document?.['delivered'] as { state: string }[]).map(({ state }) => state);
        expect([states, moment]).toEqual([states.map(() => 'present'), moment]);
      }
    },
    TIMEOUT,
  );

  async function killedAt(cwd: string, moment: { readonly number: number; readonly phase: string }): Promise<unknown> {
    const ended = await new Promise((settle) => {
      const environment = { PATH: process.env['PATH'], HOME: cwd, ...env };
      const child = spawn(process.execPath, [DRAY, ...LOAD], { cwd, stdio: 'ignore', env: environment });
      server.onRequest = (number, phase) => number === moment.number && phase === moment.phase && child.kill('SIGKILL');
      child.on('close', (status, signal) => settle(signal ?? status));
    });
    server.onRequest = () => undefined;
    return ended;
  }
});
