import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../io/disk/atomic-write.ts';
import type { Digest } from '../oci/digest.ts';
import { DigestShape } from '../oci/shapes.ts';
import type { WrittenVolume } from './compose.ts';
import type { VolumeLayout } from './volume-layout.ts';

const Done = z.strictObject({
  number: z.number(),
  /** What was laid out: another plan is another key. */
  key: z.string(),
  archive: z.strictObject({ size: z.number(), digest: DigestShape }),
  table: z.base64(),
  lines: z.number(),
  chunks: z.base64(),
  mtime: z.string(),
  inode: z.string(),
});
type Done = z.infer<typeof Done>;

/** What a pack began with. */
const Begun = z.strictObject({ lock: DigestShape, created: z.string() });
type Begun = z.infer<typeof Begun>;

const Kept = z.strictObject({ begun: Begun.nullable(), done: z.array(Done) });

/**
 * Remembers when a pack began and which volumes it had written whole when it was killed: the next one goes on behind
 * them, and finishes the same bundle, not another one of the same number.
 */
export interface PackingJournal {
  /** When a pack of this lock began that was not finished. */
  begunAt(lock: Digest): string | undefined;
  begin(begun: Begun): Promise<void>;
  /** A volume that stands under `path` as it was written, of exactly this layout. */
  written(layout: VolumeLayout, path: string): WrittenVolume | undefined;
  record(layout: VolumeLayout, path: string, volume: WrittenVolume): Promise<void>;
  /** The bundle is complete, and somebody knows: nothing is left to go on with. */
  discard(): void;
}

export function openPackingJournal(file: string): PackingJournal {
  const kept = read(file);
  let { begun } = kept;
  const done = new Map(kept.done.map((entry) => [entry.number, entry]));
  const save = async (): Promise<void> => {
    mkdirSync(dirname(file), { recursive: true });
    await atomicWrite(file, JSON.stringify({ begun, done: [...done.values()] } satisfies z.infer<typeof Kept>));
  };
  return {
    begunAt: (lock) => (begun?.lock === lock ? begun.created : undefined),
    begin: async (now) => {
      begun = now;
      await save();
    },
    written: (layout, path) => {
      const entry = done.get(layout.number);
      const seen = look(path);
      if (entry === undefined || seen === undefined || entry.key !== keyOf(layout)) return undefined;
      if (seen.size !== entry.archive.size || seen.mtime !== entry.mtime || seen.inode !== entry.inode)
        return undefined;
      const { number, archive, lines, table, chunks } = entry;
      return { number, archive, lines, table: Buffer.from(table, 'base64'), chunks: Buffer.from(chunks, 'base64') };
    },
    record: async (layout, path, volume) => {
      const entry = doneOf(layout, path, volume);
      if (entry === undefined) return;
      done.set(entry.number, entry);
      await save();
    },
    discard: () => rmSync(file, { force: true }),
  };
}

function doneOf(layout: VolumeLayout, path: string, volume: WrittenVolume): Done | undefined {
  const { number, archive, lines, table, chunks } = volume;
  const seen = look(path);
  if (archive === null || seen === undefined) return undefined;
  const { mtime, inode } = seen;
  return { number, key: keyOf(layout), archive, table: base64(table), lines, chunks: base64(chunks), mtime, inode };
}

function look(path: string): { size: number; mtime: string; inode: string } | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined
    ? undefined
    : { size: Number(found.size), mtime: String(found.mtimeNs), inode: String(found.ino) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function keyOf(layout: VolumeLayout): string {
  const hash = createHash('sha256').update(layout.indexJson);
  for (const { line } of layout.pieces) hash.update(`${JSON.stringify(line)}\n`);
  return hash.digest('hex');
}

function read(file: string): z.infer<typeof Kept> {
  try {
    return Kept.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // None, or not ours: every volume is written again.
    return { begun: null, done: [] };
  }
}
