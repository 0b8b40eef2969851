import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../io/atomic-write.ts';
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

/** Remembers the volumes that a pack had written whole when it was killed, so that the next one goes on behind them. */
export interface PackingJournal {
  /** A volume that stands under `path` as it was written, of exactly this layout. */
  written(layout: VolumeLayout, path: string): WrittenVolume | undefined;
  record(layout: VolumeLayout, path: string, volume: WrittenVolume): Promise<void>;
  /** The bundle is complete: nothing is left to go on with. */
  discard(): void;
}

export function openPackingJournal(file: string): PackingJournal {
  const done = new Map(read(file).map((entry) => [entry.number, entry]));
  return {
    written: (layout, path) => {
      const entry = done.get(layout.number);
      const seen = look(path);
      if (entry === undefined || seen === undefined || entry.key !== keyOf(layout)) return undefined;
      if (seen.size !== entry.archive.size || seen.mtime !== entry.mtime || seen.inode !== entry.inode)
        return undefined;
      const { number, archive, lines, table, chunks } = entry;
      return { number, archive, lines, table: Buffer.from(table, 'base64'), chunks: Buffer.from(chunks, 'base64') };
    },
    record: async (layout, path, { number, archive, lines, table, chunks }) => {
      const seen = look(path);
      if (archive === null || seen === undefined) return;
      const { mtime, inode } = seen;
      done.set(number, {
        number,
        key: keyOf(layout),
        archive,
        table: base64(table),
        lines,
        chunks: base64(chunks),
        mtime,
        inode,
      });
      mkdirSync(dirname(file), { recursive: true });
      await atomicWrite(file, JSON.stringify([...done.values()]));
    },
    discard: () => rmSync(file, { force: true }),
  };
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

function read(file: string): readonly Done[] {
  try {
    return z.array(Done).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // None, or not ours: every volume is written again.
    return [];
  }
}
