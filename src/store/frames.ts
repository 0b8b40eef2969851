import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { atomicWrite, sweepTemporary, temporaryBeside } from '../io/disk/atomic-write.ts';
import { openSink } from '../io/disk/file-sink.ts';
import { findEncoder } from '../io/zstd.ts';
import type { Encoder } from '../io/zstd.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { DigestShape } from '../oci/shapes.ts';
import type { BlobReader, Blocks, Frame, FrameStore } from './blob-store.ts';

/** Level 3: 200 MB/s a core, within a few percent of what more time would save on text and tables. */
const LEVEL = 3;
/** Below this a frame saves less than the line that describes it. */
const SMALLEST = 64 * 1024;
/** What the probe reads, and what it must come down to: compressed formats stay above 0.97, text comes to 0.3. */
const PROBE = 4 * 1024 * 1024;
const WORTHWHILE = 0.85;

const Record = z.strictObject({
  encoder: z.string(),
  level: z.number(),
  frame: z.strictObject({ digest: DigestShape, size: z.number() }).nullable(),
});
type Record = z.infer<typeof Record>;

/**
 * Frames in `frames/` of the store: `<hex of the blob>.zst`, and beside each `<hex>.json` with what made it, or with
 * `frame: null` where the probe said no, so that nothing is probed twice.
 */
export function openFrames(
  directory: string,
  store: BlobReader,
  encoder: Encoder | undefined = findEncoder(),
): FrameStore {
  mkdirSync(directory, { recursive: true });
  sweepTemporary(directory);
  return {
    frame: async (blob, onBytes = () => undefined) => {
      if (encoder === undefined || blob.size < SMALLEST) return undefined;
      const known = recorded(directory, blob, encoder);
      if (known !== 'unknown') return known;
      const { path, recordFile } = filesOf(directory, blob);
      const made = (await isWorthwhile(encoder, store, blob))
        ? await make(encoder, watched(store.get(blob), onBytes), blob, path)
        : null;
      await atomicWrite(
        recordFile,
        JSON.stringify({ encoder: encoder.name, level: LEVEL, frame: made } satisfies Record),
      );
      return made === null ? undefined : frameOf(blob, made, encoder, path);
    },
  };
}

/** A frame that an earlier pack made; looks, and makes nothing, so the store need not be held. */
export function knownFrame(
  directory: string,
  blob: Descriptor,
  encoder: Encoder | undefined = findEncoder(),
): Frame | undefined {
  if (encoder === undefined) return undefined;
  const known = recorded(directory, blob, encoder);
  return known === 'unknown' ? undefined : known;
}

/** What is recorded of a blob: its frame, or undefined where none is worth it. */
function recorded(directory: string, blob: Descriptor, encoder: Encoder): Frame | undefined | 'unknown' {
  const { path, recordFile } = filesOf(directory, blob);
  const known = readRecord(recordFile);
  if (known?.encoder !== encoder.name || known.level !== LEVEL) return 'unknown';
  if (known.frame === null) return undefined;
  const isThere = statSync(path, { throwIfNoEntry: false })?.size === known.frame.size;
  return isThere ? frameOf(blob, known.frame, encoder, path) : 'unknown';
}

function filesOf(directory: string, { digest }: Descriptor): { readonly path: string; readonly recordFile: string } {
  return { path: join(directory, `${hexOf(digest)}.zst`), recordFile: join(directory, `${hexOf(digest)}.json`) };
}

function frameOf(blob: Descriptor, frame: { digest: Digest; size: number }, encoder: Encoder, path: string): Frame {
  return { blob: blob.digest, ...frame, encoder: encoder.name, level: LEVEL, path };
}

async function isWorthwhile(encoder: Encoder, store: BlobReader, blob: Descriptor): Promise<boolean> {
  const length = Math.min(blob.size, PROBE);
  let read = 0;
  let shrunk = 0;
  for await (const block of store.get(blob, { start: 0, end: length })) {
    read += block.length;
    shrunk += encoder.sample(block, LEVEL);
  }
  return read === length && shrunk < length * WORTHWHILE;
}

/** Null where the whole turned out not to shrink as its beginning promised. */
async function make(
  encoder: Encoder,
  content: Blocks,
  blob: Descriptor,
  path: string,
): Promise<{ digest: Digest; size: number } | null> {
  const temporary = temporaryBeside(path);
  const hash = createHash('sha256');
  const sink = await openSink(temporary);
  let size = 0;
  try {
    for await (const block of encoder.encode(content, blob.size, LEVEL)) {
      hash.update(block);
      size += block.length;
      await sink.write(block);
    }
    await sink.finish();
    if (size >= blob.size * WORTHWHILE) return null;
    await rename(temporary, path);
    return { digest: `sha256:${hash.digest('hex')}`, size };
  } finally {
    await sink.abort();
    await rm(temporary, { force: true });
  }
}

async function* watched(blocks: Blocks, onBytes: (bytes: number) => void): Blocks {
  for await (const block of blocks) {
    onBytes(block.length);
    yield block;
  }
}

function readRecord(file: string): Record | undefined {
  try {
    return Record.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // None yet, or torn by a crash: it is made again.
    return undefined;
  }
}
