import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noise } from '../support/bundles.ts';
import { site, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { program } from '../support/programs.ts';

let place: Workplace;
beforeEach(async () => {
  place = await standardWorkplace({ weights: 3_000_000 });
});

const PACK = ['pack', 'out', '--key', 'release.key', '--created', '2026-11-20T08:30:00Z'];
const MIB = 1024 * 1024;

describe('a medium', () => {
  it.each(['1KB', '100KB', '180KB'])('of %s that is too small for the smallest piece', async (size) => {
    const { message } = await place.fail([...PACK, '--media', size], 15, 'no-room');
    expect(message).toMatch(/medium .*: needs \d+ bytes.*, has \d+, short by \d+/);
    expect(snapshot(place.path('out'))).toEqual({});
    await place.fail([...PACK, '--media', size, '--dry-run'], 15, 'no-room');
  });

  it('of no kind that is known', async () => {
    for (const media of ['bd-x', '0', '-1GB', 'usb:', 'fat32:much', '1EB'])
      await place.fail([...PACK, '--media', media], 2, 'usage');
  });

  it('whose directory is a file', async () => {
    mkdirSync(place.path('out'));
    writeFileSync(place.path('out/cargo-1-1of1'), 'a file');
    const { message } = await place.fail(PACK, 1, 'medium-occupied');
    expect(message).toMatch(/cargo-1-1of1: expected a directory, found a file/);
    rmSync(place.path('out'), { recursive: true });
    writeFileSync(place.path('out'), 'a file');
    const failed = await place.fail(PACK, 1, 'medium-occupied');
    expect(failed.message).toMatch(/out: expected a directory, found a file/);
    expect(failed.where).toEqual({ file: place.path('out') });
  });

  it('whose directory holds another bundle, or anything else', async () => {
    await place.succeed(PACK);
    const before = snapshot(place.path('out'));
    const again = [...PACK.slice(0, 4), '--created', '2026-11-21T00:00:00Z', '--sequence', '1'];
    const { message, where } = await place.fail(again, 1, 'medium-occupied');
    expect(message).toContain('cargo-1-1of1');
    expect(where['medium']).toContain('cargo-1-1of1');
    expect(snapshot(place.path('out'))).toEqual(before);
    // Other bundles beside it are normal.
    await place.succeed(PACK);
    expect(Object.keys(snapshot(place.path('out')))).toEqual(expect.arrayContaining(['cargo-1-1of1', 'cargo-2-1of1']));
    mkdirSync(place.path('out/cargo-3-1of1'));
    writeFileSync(place.path('out/cargo-3-1of1/holiday.jpg'), 'x');
    expect((await place.fail(PACK, 1, 'medium-occupied')).message).toContain('holiday.jpg');
    expect(Object.keys(snapshot(place.path('out/cargo-3-1of1')))).toEqual(['holiday.jpg']);
  });
});

const canMount = process.getuid?.() === 0 && program('mount') !== undefined && tryMount();

describe.skipIf(!canMount)('a full disk (needs root, to mount one)', () => {
  const mounted: string[] = [];
  const mount = (size: number, ...parts: string[]): string => {
    const directory = place.path(...parts);
    mkdirSync(directory, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]);
    mounted.push(directory);
    return directory;
  };
  const enlarge = (directory: string, size: number): void => {
    execFileSync('mount', ['-o', `remount,size=${size}`, directory]);
  };
  /** Leaves so many bytes free. */
  const fill = (directory: string, size: number, free: number): void =>
    writeFileSync(join(directory, 'ballast'), Buffer.alloc(size - free));
  afterEach(() => {
    for (const directory of mounted.splice(0)) execFileSync('umount', [directory]);
  });

  it('pack says 15 before the first byte, and finishes when there is room', async () => {
    const out = mount(2 * MIB, 'out');
    const { message } = await place.fail(PACK, 15, 'no-room');
    expect(message).toMatch(/needs [\d,]+ bytes, has [\d,]+ bytes, short by [\d,]+ bytes/);
    expect(Object.keys(snapshot(out)).filter((name) => name !== 'cargo-1-1of1')).toEqual([]);
    enlarge(out, 16 * MIB);
    await place.succeed(PACK);
    await place.succeed(['verify', 'out', '--key', 'release.pub']);
  });

  it.each(['archive', 'directory'] as const)('pack (%s) that fills it on the way says 15 as well', async (format) => {
    // The frames are made now: the dry run counts with them.
    await place.succeed(['pack', 'elsewhere', '--unsigned', '--sequence', '9']);
    const { media } = await place.succeed([...PACK, '--sequence', '1', '--format', format, '--dry-run']);
    const [{ bytes }] = media as [{ bytes: number }];
    const out = mount(8 * MIB, 'out');
    // The volume fits, what lies beside it does not.
    fill(out, 8 * MIB, Math.ceil(bytes / 4096) * 4096 + 8192);
    const { message } = await place.fail([...PACK, '--sequence', '1', '--format', format], 15, 'no-room');
    expect(message).toContain('ENOSPC');
    expect(Object.keys(snapshot(out)).filter((name) => name.endsWith('bundle.json'))).toEqual([]);
    expect(Object.keys(snapshot(out)).filter((name) => name.includes('.dray-tmp-'))).toEqual([]);
    rmSync(join(out, 'ballast'));
    await place.succeed([...PACK, '--sequence', '1', '--format', format]);
    await place.succeed(['verify', 'out', '--key', 'release.pub']);
    expect(Object.keys(snapshot(out)).filter((name) => name.includes('.dray-tmp-'))).toEqual([]);
  });

  it('fetch into a full store says 15', async () => {
    const { startUpstream } = await import('../support/upstream.ts');
    const upstream = await startUpstream();
    upstream.files.set('/big.bin', noise(3_000_000, 'big'));
    place.write({
      'dray.yaml': `apiVersion: drayage/v1\nkind: Manifest\nname: cargo\nfiles: [{url: "${upstream.url}/big.bin"}]\n`,
    });
    const store = mount(2 * MIB, 'small');
    await place.fail(['lock', '--store', 'small'], 15, 'no-room');
    expect(existsSync(place.path('dray.lock'))).toBe(false);
    await place.succeed(['lock', '--store', 'roomy']);
    await place.fail(['fetch', '--store', 'small'], 15, 'no-room');
    expect(Object.keys(snapshot(store)).filter((name) => name.includes('.dray-tmp-'))).toEqual([]);
    enlarge(store, 8 * MIB);
    await place.succeed(['fetch', '--store', 'small']);
    await upstream.stop();
  });

  it.each([
    [1 * MIB, ''],
    [3_100_000, ''],
    // Somebody else fills the disk after the room was found to be enough.
    [5 * MIB, 'hooks: {scan: ./fill}\n'],
  ])('load into %d bytes says 15, and finishes when there is room', async (room, hooks) => {
    await place.succeed(PACK);
    const files = mount(8 * MIB, 'enclave');
    fill(files, 8 * MIB, room);
    place.write({
      'site.yaml': site(`targets: [{directory: enclave/files}, {modelCache: enclave/models}]\n${hooks}`),
      fill: `#!/bin/sh\nhead -c 3500000 /dev/zero >> ${files}/ballast\n`,
    });
    chmodSync(place.path('fill'), 0o755);
    const load = ['load', 'out', '--site', 'site.yaml'];
    const { where } = await place.fail(load, 15, 'no-room');
    expect(where['target']).toMatch(/^(?:directory|model-cache):/);
    place.write({ fill: '#!/bin/sh\n' });
    const shown = Object.keys(snapshot(files)).filter(
      (name) => !/^(?:ballast|files|models)$|\.dray-staging/.test(name),
    );
    expect(shown.filter((name) => name.startsWith('models/weights'))).toEqual([]);
    rmSync(join(files, 'ballast'));
    await place.succeed(load);
    expect(snapshot(join(files, 'models'))['weights/model.safetensors']).toBe(
      snapshot(place.path('weights'))['model.safetensors'],
    );
    expect(Object.keys(snapshot(files)).filter((name) => name.includes('.dray-'))).toEqual([]);
    const states = (await place.succeed(load))['delivered'] as { state: string }[];
    expect(states.map(({ state }) => state)).toEqual(['present', 'present', 'present']);
  });

  it('load with a state directory that is full says 15 and delivers nothing', async () => {
    await place.succeed(PACK);
    const state = mount(64 * 1024, 'state');
    fill(state, 64 * 1024, 0);
    const load = ['load', 'out', '--site', 'site.yaml'];
    await place.fail(load, 15, 'no-room');
    expect([existsSync(place.path('files')), existsSync(place.path('models'))]).toEqual([false, false]);
    rmSync(join(state, 'ballast'));
    await place.succeed(load);
  });
});

function tryMount(): boolean {
  const directory = `/tmp/dray-mount-${process.pid}`;
  try {
    mkdirSync(directory);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' });
    execFileSync('umount', [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
