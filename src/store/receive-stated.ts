import { createHash } from 'node:crypto';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { uptime } from 'node:os';
import { DrayError } from '../errors.ts';
import { untilAborted } from '../io/abortable.ts';
import { ALIGNMENT } from '../io/disk/aligned.ts';
import { onFile } from '../io/disk/file-error.ts';
import { BLOCK, readBlocks } from '../io/disk/ring.ts';
import { openRunning } from '../io/hash/running.ts';
import { soundLength } from '../io/sound-length.ts';
import type { Digest } from '../oci/digest.ts';
import type { Content, Stated } from './blob-store.ts';
import { writeHashed } from './receive.ts';
import type { Into } from './receive.ts';

/**
 * Receives what upstream has another name for than its SHA-256 into a file of its own, written once while both digests are
 * added up; what is there of it from an earlier run is hashed and kept. `isSynced`: it is on the disk already; small files
 * are synced together with others.
 * @throws `upstream-moved` where the bytes are others than stated; then nothing is left
 */
export async function receiveStated(
  stated: Stated,
  content: Content,
  into: Into,
): Promise<{ readonly digest: Digest; readonly isSynced: boolean }> {
  if (stated.size > BLOCK) return { digest: await receiveLarge(stated, content, into), isSynced: true };
  const { digest, bytes } = await receiveWhole(stated, content);
  try {
    writeFileSync(into.path, bytes, { mode: 0o644 });
  } catch (error) {
    throw onFile(into.path, error);
  }
  return { digest, isSynced: false };
}

/** The same into memory. */
export async function receiveWhole(
  stated: Stated,
  content: Content,
): Promise<{ readonly digest: Digest; readonly bytes: Uint8Array }> {
  const bytes = Buffer.alloc(stated.size);
  let size = 0;
  for await (const block of content(0)) {
    if (size + block.length > stated.size) throw otherThanStated(stated, 'more bytes');
    bytes.set(block, size);
    size += block.length;
  }
  const found: Found = { size, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
  const hash = stated.blake3 === undefined ? undefined : openRunning('blake3', size);
  await hash?.update(bytes);
  const fault = faultOf(stated, { ...found, blake3: await hash?.result() });
  if (fault !== undefined) throw fault;
  return { digest: found.digest, bytes };
}

/** How much of a name a broken transfer left that can be gone on with. */
export function resumable({ blake3 }: Pick<Stated, 'blake3'>, temporary: string): number {
  // Without a digest to compare at the end, only what no crash of the machine can have touched is believed.
  if (blake3 === undefined && !isSinceBoot(temporary)) return 0;
  return Math.floor(soundLength(temporary) / ALIGNMENT) * ALIGNMENT;
}

function isSinceBoot(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.mtimeMs > Date.now() - uptime() * 1000;
}

/** If what was resumed does not come to what is stated, the earlier bytes may be at fault: once more from the start. */
async function receiveLarge(stated: Stated, content: Content, into: Into): Promise<Digest> {
  try {
    const from = Math.min(resumable(stated, into.path), Math.floor(stated.size / ALIGNMENT) * ALIGNMENT);
    const resumed = from === 0 ? undefined : await transfer(stated, content, into, from);
    if (resumed !== undefined && faultOf(stated, resumed) === undefined) return resumed.digest;
    const found = await transfer(stated, content, into, 0);
    const fault = faultOf(stated, found);
    if (fault !== undefined) throw fault;
    return found.digest;
  } catch (error) {
    // What came of content that moved is no beginning of anything.
    if (error instanceof DrayError && error.code === 'upstream-moved') await rm(into.path, { force: true });
    throw error;
  }
}

interface Found {
  readonly size: number;
  readonly digest: Digest;
  readonly blake3?: string | undefined;
}

async function transfer(stated: Stated, content: Content, { path, signal }: Into, from: number): Promise<Found> {
  const sha256 = openRunning('sha256', stated.size);
  const blake3 = stated.blake3 === undefined ? undefined : openRunning('blake3', stated.size);
  const update = async (run: Uint8Array): Promise<void> => {
    await Promise.all([sha256.update(run), blake3?.update(run)]);
  };
  try {
    if (from > 0) {
      truncateSync(path, from);
      for await (const block of untilAborted(readBlocks(path), signal)) await update(block);
    }
    const size = await writeHashed(content(from), path, { from, limit: stated.size, hash: { update } });
    return { size, digest: `sha256:${await sha256.result()}`, blake3: await blake3?.result() };
  } finally {
    sha256.drop();
    blake3?.drop();
  }
}

function faultOf(stated: Stated, { size, blake3 }: Found): DrayError | undefined {
  if (size > stated.size) return otherThanStated(stated, 'more bytes');
  if (size < stated.size) return otherThanStated(stated, `${size} bytes`);
  return blake3 === stated.blake3 ? undefined : otherThanStated(stated, `blake3:${blake3 ?? 'none'}`);
}

function otherThanStated({ size, blake3 }: Stated, found: string): DrayError {
  const wanted = blake3 === undefined ? '' : ` with blake3:${blake3}`;
  return new DrayError('upstream-moved', `expected ${size} bytes${wanted}, found ${found}`);
}
