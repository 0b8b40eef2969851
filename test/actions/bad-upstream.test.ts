import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { manifest, snapshot, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { image } from '../support/images.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';

let upstream: Upstream;
let place: Workplace;
beforeEach(async () => {
  upstream = await startUpstream();
  place = workplace();
});
afterEach(() => upstream.stop());

const shape = { layers: ['one', 'two'] };
const wanted = image(shape);
const layerOf = (): Digest => [...wanted.blobs.keys()].at(-1)!;

function ask(rest: string): void {
  place.write({ 'dray.yaml': manifest('cargo', rest.replaceAll('HOST', upstream.host)) });
}

/** Nothing of it is in the store: neither the blob nor a part of it. */
function expectNothingKept(digest: Digest): void {
  expect(Object.keys(snapshot(place.path('.dray/store'))).filter((path) => path.includes(digest.slice(7)))).toEqual([]);
}

describe('upstream', () => {
  it('that does not have the reference', async () => {
    upstream.publish('app', '1', wanted);
    ask('images:\n  - HOST/app:2\n');
    const { message, where } = await place.fail(['lock'], 13, 'not-found');
    expect(message).toContain(`${upstream.host}/app:2`);
    expect(where).toMatchObject({ line: 5, artifact: `${upstream.host}/app:2` });
    expect(existsSync(place.path('dray.lock'))).toBe(false);
    ask('files: [{url: "http://HOST/none.bin"}]\n');
    expect((await place.fail(['lock'], 13, 'not-found')).message).toContain('/none.bin');
  });

  it('that refuses the login', async () => {
    upstream.publish('app', '1', wanted);
    ask('images: [HOST/app:1]\n');
    upstream.refuseLogins = true;
    const { message, hint, where } = await place.fail(['lock'], 16, 'login-refused');
    expect(message + hint).toContain(upstream.host);
    expect(where).toMatchObject({ artifact: `${upstream.host}/app:1` });
    expect(existsSync(place.path('dray.lock'))).toBe(false);
    upstream.refuseLogins = false;
    await place.succeed(['lock']);
    upstream.refuseLogins = true;
    await place.fail(['fetch'], 16, 'login-refused');
    await place.fail(['pack', 'out', '--unsigned'], 16, 'login-refused');
    expect(existsSync(place.path('out'))).toBe(false);
  });

  it('that cannot be reached', async () => {
    ask('images: [HOST/app:1]\n');
    await upstream.stop();
    const { where } = await place.fail(['lock', '--keep-going'], 3, 'partial');
    expect(where).toEqual({});
    upstream = await startUpstream();
  });

  it('whose bytes are others than the lock pins: 13, and nothing of them is kept', async () => {
    upstream.publish('app', '1', wanted);
    ask('images: [HOST/app:1]\n');
    await place.succeed(['lock']);
    const lock = readFileSync(place.path('dray.lock'));
    const digest = layerOf();
    const good = upstream.content.get(digest)!;
    upstream.content.set(digest, Buffer.from(good).fill(0));
    const { message, where } = await place.fail(['fetch'], 13, 'upstream-moved');
    expect(message).toContain(digest);
    expect(where).toMatchObject({ artifact: `${upstream.host}/app:1` });
    expectNothingKept(digest);
    upstream.content.delete(digest);
    expect((await place.fail(['pack', 'out', '--unsigned'], 13, 'upstream-moved')).where).toMatchObject({
      artifact: `${upstream.host}/app:1`,
    });
    expectNothingKept(digest);
    expect([existsSync(place.path('out')), readFileSync(place.path('dray.lock'))]).toEqual([false, lock]);
    upstream.content.set(digest, good);
    await place.succeed(['pack', 'out', '--unsigned']);
  });

  it('whose tag moved between lock and fetch: the pinned bytes are fetched, and only the upgrade moves', async () => {
    upstream.publish('app', '1', wanted);
    ask('images: [HOST/app:1]\n');
    const [pinned] = (await place.succeed(['lock']))['artifacts'] as { digest: string }[];
    upstream.publish('app', '1', image({ layers: ['three'] }));
    await place.succeed(['fetch']);
    expect((await place.succeed(['lock']))['changes']).toEqual([]);
    await place.succeed(['lock', '--check']);
    const { changes } = await place.succeed(['lock', '--upgrade']);
    expect(changes).toMatchObject([{ change: 'moved', from: pinned?.digest }]);
  });

  it('whose file moved: 13, and the lock stands', async () => {
    upstream.files.set('/a.bin', Buffer.from('first'));
    ask('files: [{url: "http://HOST/a.bin"}]\n');
    await place.succeed(['lock', '--store', 'one']);
    upstream.files.set('/a.bin', Buffer.from('other'));
    const { message } = await place.fail(['fetch'], 13, 'upstream-moved');
    expect(message).toContain(digestOf('first'));
    expectNothingKept(digestOf('first'));
    expectNothingKept(digestOf('other'));
    upstream.files.set('/a.bin', Buffer.from('much longer'));
    await place.fail(['fetch'], 13, 'upstream-moved');
    upstream.files.delete('/a.bin');
    await place.fail(['fetch'], 13, 'upstream-moved');
  });

  it('with a hash in the manifest that is not the file’s', async () => {
    upstream.files.set('/a.bin', Buffer.from('first'));
    ask(`files: [{url: "http://HOST/a.bin", sha256: ${digestOf('else').slice(7)}}]\n`);
    const lock = await place.run(['lock', '--json']);
    const failed = lock.status === 0 ? await place.run(['fetch', '--json']) : lock;
    expect([failed.status, failed.json().error?.code]).toEqual([13, 'upstream-moved']);
    expectNothingKept(digestOf('else'));
  });
});

describe('--keep-going', () => {
  it('does the rest, says what failed, and exits 3', async () => {
    upstream.publish('app', '1', wanted);
    ask('images: [HOST/app:1, HOST/app:2]\n');
    const { document, message } = await place.fail(['lock', '--keep-going'], 3, 'partial');
    expect(message).toContain('/app:2');
    expect(document['artifacts']).toMatchObject([{ name: `${upstream.host}/app:1` }]);
    ask('images: [HOST/app:1, HOST/other:1]\n');
    upstream.publish('other', '1', image({ layers: ['three'] }));
    await place.succeed(['lock']);
    upstream.content.delete(layerOf());
    const fetched = await place.fail(['fetch', '--keep-going'], 3, 'partial');
    expect(fetched.message).toContain('/app:1');
    const digest = image({ layers: ['three'] }).root.descriptor.digest;
    expect(Object.keys(snapshot(place.path('.dray/store')))).toContain(`blobs/sha256/${digest.slice(7)}`);
  });
});
