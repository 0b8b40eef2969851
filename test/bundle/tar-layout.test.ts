import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHUNK, chunkCount } from '../../src/bundle/chunks.ts';
import { ChunkSums } from '../../src/io/hash/chunk-sums.ts';
import { TRAILER, entrySize, headerSize, paddingSize, tarHeader } from '../../src/bundle/tar-layout.ts';
import { noise, scratch } from '../support/bundles.ts';

let here: ReturnType<typeof scratch>;
beforeEach(() => (here = scratch()));
afterEach(() => here.remove());

const HEX = 'a'.repeat(64);

describe('tar headers', () => {
  it('are what GNU tar reads and tests, entry by entry', () => {
    const entries = [0, 1, 511, 512, 513, 70_000].map((size, at) => ({
      path: `blobs/sha256/${HEX.slice(1)}${at}`,
      content: noise(size, String(at)),
    }));
    const tar = Buffer.concat([
      ...entries.flatMap(({ path, content }) => [
        tarHeader(path, content.length),
        content,
        Buffer.alloc(paddingSize(content.length)),
      ]),
      Buffer.alloc(TRAILER),
    ]);
    expect(tar.length).toBe(entries.reduce((total, { content }) => total + entrySize(content.length), TRAILER));
    writeFileSync(join(here.path, 'v.tar'), tar);
    for (const { path, content } of entries)
      expect(execFileSync('tar', ['-xOf', 'v.tar', path], { cwd: here.path }).equals(content)).toBe(true);
    expect(execFileSync('tar', ['-tf', 'v.tar'], { cwd: here.path, encoding: 'utf8' }).trim().split('\n')).toEqual(
      entries.map(({ path }) => path),
    );
  });

  it.each([8_589_934_591, 8_589_934_592, 150_000_000_000])('say %d bytes so that GNU tar understands', (size) => {
    const path = `segments/${HEX}/123456789012`;
    const fd = openSync(join(here.path, 'large.tar'), 'w');
    writeSync(fd, tarHeader(path, size));
    ftruncateSync(fd, entrySize(size) + TRAILER);
    closeSync(fd);
    const listed = execFileSync('tar', ['-tvf', 'large.tar'], { cwd: here.path, encoding: 'utf8' });
    expect(listed.trim().split(/\s+/)).toEqual(expect.arrayContaining([String(size), path]) as string[]);
    expect(tarHeader(path, size).length).toBe(headerSize(size));
  });
});

describe('chunk sums', () => {
  it('do not depend on how the bytes come, and say how many chunks there are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 1, max: 100_000 }), (size, step) => {
        const bytes = noise(size, 'chunks');
        const whole = new ChunkSums(CHUNK);
        whole.update(bytes);
        whole.endFile();
        const cut = new ChunkSums(CHUNK);
        for (let at = 0; at < size; at += step) cut.update(bytes.subarray(at, at + step));
        cut.endFile();
        expect(cut.bytes().equals(whole.bytes())).toBe(true);
        expect(whole.bytes().length).toBe(4 * chunkCount(size));
      }),
    );
  });
});
