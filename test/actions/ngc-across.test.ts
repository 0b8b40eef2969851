import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { noise } from '../support/bundles.ts';
import { DRAY } from '../support/cli.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { LEGACY_KEY, PERSONAL_KEY, checked, startNgc } from '../support/ngc.ts';
import type { FakeNgc } from '../support/ngc.ts';
import { etagOf } from '../support/ngc-bench.ts';

/** Models and resources of NGC, from a manifest to the enclave. */

const WEIGHTS = noise(3_500_000, 'weights');
const MODEL = checked({ 'config.json': '{}', 'weights/model.onnx': WEIGHTS });
const RESOURCE = { 'linux-amd64/cli.tar.gz': 'amd', 'README.md': 'read me' };

let ngc: FakeNgc;
let place: Workplace;
let env: Record<string, string>;
beforeEach(async () => {
  ngc = await startNgc();
  place = workplace();
  env = { ...ngc.environment, NGC_API_KEY: PERSONAL_KEY };
  const versions = { '1.0': { files: MODEL } };
  ngc.things.set('models/nvidia/tao/net', { versions, latest: '1.0', licenseTerms: [{ title: 'Open Terms' }] });
  ngc.things.set('resources/nvidia/nvcf/base', { versions: { '0.1.4': { files: RESOURCE } }, latest: '0.1.4' });
  place.write({
    'dray.yaml': manifest('cargo', 'models: [ngc://nvidia/tao/net]\nfiles: [{ngc: nvidia/nvcf/base:0.1.4}]\n'),
  });
});
afterEach(() => ngc.stop());

const lockText = (): string => readFileSync(place.path('dray.lock'), 'utf8');
const refill = (): void => rmSync(place.path('.dray', 'store'), { recursive: true });

describe('a model and a resource', () => {
  it('cross the gap: locked, fetched into an emptied store, packed, loaded into ordinary directories', async () => {
    await place.succeed(['lock'], { env });
    expect(lockText()).toMatch(/licence: Open Terms/);
    expect(lockText()).toContain('ngc://nvidia/tao/net:1.0');
    refill();
    await place.succeed(['fetch'], { env });
    await place.succeed(['keygen', 'k', '--no-password']);
    await place.succeed(['pack', 'out', '--key', 'k.key'], { env });
    const [medium = ''] = readdirSync(place.path('out'));
    const to = ['--to', 'directory:files', '--to', 'model-cache:models'];
    await place.succeed(['load', join('out', medium), '--key', 'k.pub', '--state', 'state', ...to]);
    const model = place.path('models', 'nvidia/tao/net/1.0');
    expect(readFileSync(join(model, 'weights/model.onnx')).equals(WEIGHTS)).toBe(true);
    expect(readdirSync(model).sort()).toEqual(['checksums.blake3', 'config.json', 'weights']);
    const resource = place.path('files', 'base_v0.1.4');
    for (const [path, content] of Object.entries(RESOURCE))
      expect(readFileSync(join(resource, path), 'utf8')).toBe(content);
  });

  it('are the same lock by either kind of key, for the first time and again, one at a time or many', async () => {
    await place.succeed(['lock'], { env });
    const first = lockText();
    for (const [words, NGC_API_KEY] of [
      [['lock', '-j', '1', '--store', 'other'], LEGACY_KEY],
      [['lock', '-j', '32'], PERSONAL_KEY],
    ] as const) {
      rmSync(place.path('dray.lock'));
      await place.succeed(words, { env: { ...env, NGC_API_KEY } });
      expect(lockText()).toBe(first);
    }
  });

  it('stay pinned when there is a later one, until they are upgraded', async () => {
    await place.succeed(['lock'], { env });
    const first = lockText();
    const versions = { '1.0': { files: MODEL }, '1.1': { files: { 'config.json': '{"new": 1}' } } };
    ngc.things.set('models/nvidia/tao/net', { versions, latest: '1.1' });
    await place.succeed(['lock'], { env });
    expect(lockText()).toBe(first);
    await place.succeed(['lock', '--upgrade'], { env });
    expect(lockText()).toContain('name: nvidia/tao/net/1.1');
    expect(lockText()).toContain('base_v0.1.4');
  });

  it('never change under a version: an upgrade says so, and the lock stays as it is', async () => {
    await place.succeed(['lock'], { env });
    const first = lockText();
    for (const files of [{ ...RESOURCE, 'README.md': 'else' }, { 'README.md': 'read me' }]) {
      ngc.things.set('resources/nvidia/nvcf/base', { versions: { '0.1.4': { files } } });
      const { message } = await place.fail(['lock', '--upgrade'], 13, 'upstream-moved', { env });
      expect(message).toContain('ngc://nvidia/nvcf/base:0.1.4: ');
      expect(message).toContain('a version never changes');
    }
    expect(lockText()).toBe(first);
    rmSync(place.path('dray.lock'));
    await place.succeed(['lock'], { env });
    expect(lockText()).not.toBe(first);
  });

  it('that are other bytes at fetch are found out, and stay out of the store', async () => {
    await place.succeed(['lock'], { env });
    refill();
    const other = { 'linux-amd64/cli.tar.gz': 'evl', 'README.md': 'read me' };
    ngc.things.set('resources/nvidia/nvcf/base', { versions: { '0.1.4': { files: other } } });
    const { message } = await place.fail(['fetch'], 13, 'upstream-moved', { env });
    expect(message).toContain('linux-amd64/cli.tar.gz');
    expect(existsSync(place.path('.dray/store/blobs/sha256', digestOf('evl').slice(7)))).toBe(false);
  });

  it('show no key, token or signature in anything that is said or written', async () => {
    for (const [words, key] of [
      [['lock', '-v'], LEGACY_KEY],
      [['lock', '-v', '--upgrade'], PERSONAL_KEY],
    ] as const) {
      const { out, err, status } = await place.run(words, { env: { ...env, NGC_API_KEY: key } });
      expect(status).toBe(0);
      expect(out + err + lockText()).not.toMatch(/s3cret|X-Signature|bGVnYWN5/);
    }
    const pins = readFileSync(place.path('.dray/store/pins.jsonl'), 'utf8');
    expect(pins).not.toMatch(/s3cret|X-Signature/);
  });

  it('that need a key are refused without one, at the line of the manifest', async () => {
    const { message, hint, where } = await place.fail(['lock'], 16, 'login-refused', { env: ngc.environment });
    expect(message).toMatch(/ngc:\/\/nvidia\/.*NGC answered 401 unauthorized/);
    expect(hint).toContain('NGC_API_KEY');
    expect(where).toMatchObject({ line: expect.any(Number) as number });
  });

  it('are looked for by doctor', async () => {
    const { out, err } = await place.run(['doctor'], { env });
    expect(out + err).toContain(`upstream ${ngc.api.host}`);
    expect(out + err).toContain('has all 2 that are asked for');
  });
});

describe.skipIf(!existsSync(DRAY))('kill -9 in the middle of a lock (dist is not built)', () => {
  it('costs nothing that had arrived, neither whole files nor the beginning of one', async () => {
    const large = noise(20_000_000, 'large');
    const files = { 'a.bin': noise(2_000_000, 'a'), 'b.bin': large };
    ngc.things.set('models/nvidia/tao/net', { versions: { '1.0': { files } }, latest: '1.0' });
    place.write({ 'dray.yaml': manifest('cargo', 'models: [ngc://nvidia/tao/net]\n') });
    ngc.interceptStorage = (request, response, url) => {
      if (!url.pathname.endsWith('b.bin') || request.headers.range === 'bytes=0-0') return false;
      response.writeHead(200, { etag: `"${etagOf(large)}"`, 'content-length': large.length });
      response.write(large.subarray(0, 18_000_000));
      return true;
    };
    const child = spawn(process.execPath, [DRAY, 'lock'], { cwd: place.path(), env: { ...process.env, ...env } });
    await expect.poll(() => arrived(), { timeout: 30_000 }).toBeGreaterThan(12_000_000);
    await killed(child);
    ngc.interceptStorage = () => false;
    ngc.sent = 0;
    await place.succeed(['lock'], { env });
    expect(ngc.sent).toBeLessThan(8_000_100);
    ngc.sent = 0;
    rmSync(place.path('dray.lock'));
    await place.succeed(['lock'], { env });
    expect(ngc.sent).toBe(2);
  }, 60_000);

  /** Bytes of the large file that are on the disk; 0 before the small one is whole. */
  function arrived(): number {
    const store = place.path('.dray', 'store');
    if (!existsSync(join(store, 'pins.jsonl'))) return 0;
    const sizes = readdirSync(join(store, 'partial')).map((name) => statSync(join(store, 'partial', name)).size);
    return Math.max(0, ...sizes);
  }
});

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
