import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { workDirectory } from '../cli/harness.ts';
import { noise } from '../support/bundles.ts';
import { random } from '../support/random.ts';

/** `kill -9` at any moment, then the same command again. A seeded sample; the whole campaign with DRAY_TORTURE=full. */

const DRAY = resolve(import.meta.dirname, '../../dist/cli/main.js');
const built = existsSync(DRAY);
const ROUNDS = process.env['DRAY_TORTURE'] === 'full' ? 60 : 1;
const SEED = Number(process.env['DRAY_SEED'] ?? 1);
const home = workDirectory();

const PACK = [
  'pack',
  'out',
  '--media',
  '30MB',
  '--key',
  'k.key',
  '--created',
  '2026-01-01T00:00:00Z',
  '--sequence',
  '1',
];
const LOAD = [
  'load',
  'out',
  '--key',
  'k.pub',
  '--state',
  'st',
  '--to',
  'directory:far/files',
  '--to',
  'model-cache:far/models',
  '--to',
  'oci-layout:far/oci?take=files',
];

/** Runs dray as a process and ends it by a signal after a while; answers its status, or the signal that ended it. */
function run(words: readonly string[], after?: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string> {
  return new Promise((settle) => {
    const child = spawn(process.execPath, [DRAY, ...words], { cwd: home, stdio: 'ignore' });
    const timer = after === undefined ? undefined : setTimeout(() => child.kill(signal), after);
    child.on('close', (status, by) => {
      clearTimeout(timer);
      settle(status ?? by ?? -1);
    });
  });
}

function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function contentOf(directory: string, except: RegExp): string {
  const listed = filesBelow(directory)
    .filter((file) => !except.test(file))
    .map((file) => `${file} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`);
  return listed.sort().join('\n');
}

describe.skipIf(!built)('kill -9 (dist is not built)', () => {
  beforeAll(async () => {
    mkdirSync(join(home, 'data'));
    for (const name of ['a', 'b', 'c']) writeFileSync(join(home, 'data', name), noise(17_000_000, name));
    for (let at = 0; at < 50; at++) writeFileSync(join(home, 'data', `small-${at}`), noise(5000, String(at)));
    writeFileSync(
      join(home, 'dray.yaml'),
      'apiVersion: drayage/v1\nkind: Manifest\nname: killed\nfiles: [data]\nmodels: [{path: data, as: a/b}]\n',
    );
    expect(await run(['keygen', 'k', '--no-password'])).toBe(0);
  }, 60_000);

  test('of pack leaves nothing that looks like a bundle, and the next one finishes it, byte for byte', async () => {
    const next = random(SEED);
    expect(await run(PACK)).toBe(0);
    const undisturbed = contentOf(join(home, 'out'), /sigstore|SHA256SUMS/);
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of ['out', '.dray', 'dray.lock']) rmSync(join(home, name), { recursive: true, force: true });
      for (let kills = 0; kills < 3; kills++) {
        if ((await run(PACK, 120 + next() * 700)) !== 'SIGKILL') continue;
        const media = existsSync(join(home, 'out')) ? readdirSync(join(home, 'out')) : [];
        for (const medium of media.filter((name) => existsSync(join(home, 'out', name, 'bundle.json'))))
          expect(existsSync(join(home, 'out', medium, 'SHA256SUMS'))).toBe(true);
      }
      expect(await run(PACK)).toBe(0);
      expect(contentOf(join(home, 'out'), /sigstore|SHA256SUMS/)).toBe(undisturbed);
      expect(
        [...filesBelow(join(home, 'out')), ...filesBelow(join(home, '.dray'))].filter((file) =>
          file.includes('.dray-tmp-'),
        ),
      ).toEqual([]);
    }
  }, 600_000);

  test('of load shows nothing incomplete under its name, and the next one finishes it', async () => {
    const next = random(SEED + 1);
    const whole = new Map(
      readdirSync(join(home, 'data')).map((name) => [name, readFileSync(join(home, 'data', name))]),
    );
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of ['far', 'st']) rmSync(join(home, name), { recursive: true, force: true });
      for (let kills = 0; kills < 3; kills++) {
        await run(LOAD, 120 + next() * 600);
        for (const place of ['far/files/data', 'far/models/a/b'])
          for (const [name, content] of whole) {
            const path = join(home, place, name);
            if (existsSync(path)) expect(readFileSync(path).equals(content), path).toBe(true);
          }
        const model = join(home, 'far/models/a/b');
        if (existsSync(model)) expect(readdirSync(model)).toHaveLength(whole.size);
      }
      expect(await run(LOAD)).toBe(0);
      for (const [name, content] of whole)
        expect(readFileSync(join(home, 'far/files/data', name)).equals(content)).toBe(true);
      expect(filesBelow(join(home, 'far')).filter((file) => file.includes('.dray-'))).toEqual([]);
    }
  }, 600_000);

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s ends any verb within two seconds, with its own status',
    async (signal, status) => {
      for (const words of [['lock', '--upgrade'], PACK, ['verify', 'out', '--key', 'k.pub'], [...LOAD, '--recheck']]) {
        rmSync(join(home, '.dray/store'), { recursive: true, force: true });
        const began = Date.now();
        const ended = await run(words, 150, signal);
        expect([0, status, signal]).toContain(ended);
        expect(Date.now() - began).toBeLessThan(2500);
      }
    },
    60_000,
  );
});
