import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noise } from '../support/bundles.ts';
import { manifest, site, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { program } from '../support/programs.ts';
import { startUpstream } from '../support/upstream.ts';

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

  it.each(['archive', 'directory'] as const)('pack (%s) counts what lies beside the volumes', async (format) => {
    // The frames are made now: the dry run counts with them.
    await place.succeed(['pack', 'elsewhere', '--unsigned', '--sequence', '9']);
    const { media } = await place.succeed([...PACK, '--sequence', '1', '--format', format, '--dry-run']);
    const [{ bytes }] = media as [{ bytes: number }];
    const out = mount(8 * MIB, 'out');
    // The volume fits, what lies beside it does not.
    fill(out, 8 * MIB, Math.ceil(bytes / 4096) * 4096 + 8192);
    const { message } = await place.fail([...PACK, '--sequence', '1', '--format', format], 15, 'no-room');
    expect(message).toMatch(/out: needs [\d,]+ bytes, has [\d,]+ bytes/);
    expect(Object.keys(snapshot(out))).toEqual(['ballast', 'cargo-1-1of1']);
    rmSync(join(out, 'ballast'));
    const { space } = await place.succeed([...PACK, '--sequence', '1', '--format', format]);
    expect(space).toEqual([{ paths: [out], needed: expect.any(Number) as number, free: 8 * MIB }]);
    const [{ needed }] = space as [{ needed: number }];
    const used = statfsSync(out);
    // Told a little too large: how long the signature and the page for people will be is not known yet.
    expect(needed - (used.blocks - used.bfree) * used.bsize).toBeLessThan(64 * 1024);
    expect(needed - (used.blocks - used.bfree) * used.bsize).toBeGreaterThanOrEqual(0);
    await place.succeed(['verify', 'out', '--key', 'release.pub']);
  });

  it('pack in the directory format needs no room for what is linked', async () => {
    const upstream = await startUpstream();
    upstream.files.set('/big.bin', noise(3 * MIB, 'big'));
    const disk = mount(5 * MIB, 'disk');
    writeFileSync(join(disk, 'dray.yaml'), manifest('cargo', `files: [{url: "${upstream.url}/big.bin"}]\n`));
    const at = { cwd: disk };
    await place.succeed(['lock'], at);
    await place.fail(['pack', 'out', '--unsigned'], 15, 'no-room', at);
    await place.succeed(['pack', 'out', '--unsigned', '--format', 'directory'], at);
    await upstream.stop();
  });

  it('pack whose frames fill the store says 15, and goes on when there is room', async () => {
    const store = mount(1 * MIB, 'small');
    place.write({ 'data/text': noise(3 * MIB, 'text').toString('base64') });
    const { message } = await place.fail([...PACK, '--store', 'small'], 15, 'no-room');
    expect(message).toMatch(/^\/.*\/small\/.*: ENOSPC/);
    expect(Object.keys(snapshot(store)).filter((name) => name.includes('.dray-tmp-'))).toEqual([]);
    expect(existsSync(place.path('out'))).toBe(false);
    enlarge(store, 8 * MIB);
    await place.succeed([...PACK, '--store', 'small']);
    await place.succeed(['verify', 'out', '--key', 'release.pub']);
  });

  it('fetch into a full store says 15 before the first byte; what a broken transfer left counts', async () => {
    const upstream = await startUpstream();
    upstream.files.set('/big.bin', noise(3_000_000, 'big'));
    place.write({ 'dray.yaml': manifest('cargo', `files: [{url: "${upstream.url}/big.bin"}]\n`) });
    const store = mount(2 * MIB, 'small');
    const { message } = await place.fail(['lock', '--store', 'small'], 15, 'no-room');
    expect(message).toMatch(/small: needs 3,000,000 bytes, has [\d,]+ bytes/);
    expect(upstream.asked).toEqual([]);
    expect(existsSync(place.path('dray.lock'))).toBe(false);
    await place.succeed(['lock', '--store', 'roomy']);
    upstream.asked.length = 0;
    await place.fail(['fetch', '--store', 'small'], 15, 'no-room');
    expect(upstream.asked).toEqual([]);
    expect(Object.keys(snapshot(store)).filter((name) => name.includes('.dray-tmp-'))).toEqual([]);
    // As a transfer that broke off left it: the rest fits, the whole would not.
    const hex = createHash('sha256').update(noise(3_000_000, 'big')).digest('hex');
    enlarge(store, 4 * MIB);
    writeFileSync(join(store, 'partial', hex), noise(3_000_000, 'big').subarray(0, 2_097_152));
    const { err, status } = await place.run(['fetch', '--store', 'small']);
    expect([status, err]).toEqual([0, expect.stringMatching(/^needs 9\d\d\.\d kB, has 2\.\d MB \(.*small\)\n$/)]);
    expect(upstream.asked).toEqual([{ url: '/big.bin', from: 2_097_152 }]);
    await upstream.stop();
  });

  it('targets on one disk add up; one that does not fit any more fails alone with --keep-going', async () => {
    await place.succeed(PACK);
    const disk = mount(5 * MIB, 'enclave');
    const targets = '{modelCache: enclave/one}, {ociLayout: enclave/two, take: models}, {directory: files}';
    place.write({ 'site.yaml': site(`targets: [${targets}]\n`) });
    const load = ['load', 'out', '--site', 'site.yaml'];
    const { message, where } = await place.fail(load, 15, 'no-room');
    expect(message).toMatch(/enclave\/one and .*enclave\/two: needs 6,0\d\d,\d{3} bytes, has [\d,]+ bytes/);
    expect(where['target']).toBe(`oci-layout:${disk}/two`);
    expect(Object.keys(snapshot(disk)).filter((name) => !/^(?:one|two)(?:\/\.dray-staging)?$/.test(name))).toEqual([]);
    const { document } = await place.fail([...load, '--keep-going'], 3, 'partial');
    const states = (document['delivered'] as { state: string }[]).map(({ state }) => state);
    expect(states.sort()).toEqual(['failed', 'sent', 'sent', 'sent']);
    enlarge(disk, 16 * MIB);
    const { space } = await place.succeed(load);
    expect(space).toEqual([
      { paths: [`${disk}/two`], needed: expect.any(Number) as number, free: expect.any(Number) as number },
    ]);
  });

  it.each([
    [1 * MIB, '', '{directory: enclave/files}, {modelCache: enclave/models}'],
    [3_100_000, '', '{directory: enclave/files}, {modelCache: enclave/models}'],
    // Somebody else fills the disk after the room was found to be enough.
    [5 * MIB, 'hooks: {scan: ./fill}\n', '{directory: enclave/files}, {modelCache: enclave/models}'],
    [5 * MIB, 'hooks: {scan: ./fill}\n', '{ociLayout: enclave/layout}'],
    [5 * MIB, 'hooks: {scan: ./fill}\n', '{directory: enclave/all, take: [models, files]}'],
  ])('load into %d bytes says 15, and finishes when there is room (%s%s)', async (room, hooks, targets) => {
    await place.succeed(PACK);
    const files = mount(8 * MIB, 'enclave');
    fill(files, 8 * MIB, room);
    place.write({
      'site.yaml': site(`targets: [${targets}]\n${hooks}`),
      fill: `#!/bin/sh\nhead -c 3500000 /dev/zero >> ${files}/ballast\n`,
    });
    chmodSync(place.path('fill'), 0o755);
    const load = ['load', 'out', '--site', 'site.yaml'];
    const { where } = await place.fail(load, 15, 'no-room');
    expect(where['target']).toMatch(/^(?:directory|model-cache|oci-layout):/);
    place.write({ fill: '#!/bin/sh\n' });
    const { 'model.safetensors': weights } = snapshot(place.path('weights'));
    const shown = (): readonly string[] =>
      Object.entries(snapshot(files)).flatMap(([name, content]) =>
        content === weights && !name.includes('.dray-staging') ? [name] : [],
      );
    expect(shown()).toEqual([]);
    rmSync(join(files, 'ballast'));
    await place.succeed(load);
    expect(shown()).toHaveLength(1);
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
