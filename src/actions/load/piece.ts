import { readSync } from 'node:fs';
import { plainBytes } from '../../bundle/plain.ts';
import type { OpenVolume } from '../../bundle/reader.ts';
import { runOf } from '../../bundle/table.ts';
import type { Piece } from '../../bundle/table.ts';
import { proveStored } from '../../bundle/volume-reader.ts';
import type { VolumeReader } from '../../bundle/volume-reader.ts';
import { asDrayError } from '../../errors.ts';
import { digestOf } from '../../oci/digest.ts';
import { FanOut } from '../../io/fan-out.ts';
import type { Taken } from '../../io/fan-out.ts';
import type { Running } from '../../io/hash/sum.ts';
import { BLOCK, readFully } from '../../io/disk/ring.ts';
import type { MediumTurns } from '../../io/disk/medium-turns.ts';
import { collect } from '../../store/blob-store.ts';
import type { Blocks } from '../../store/blob-store.ts';
import type { LoadTarget } from './target.ts';

/** The medium that pieces are read from, and what they are read with. */
export interface Medium {
  readonly volume: OpenVolume;
  readonly reader: VolumeReader;
  readonly turns: MediumTurns;
  /** Begins to hash content of this size. */
  readonly openHash: (size: number) => Running<string>;
  readonly signal: AbortSignal;
  /** Told of every stored byte that was read. */
  readonly read: (bytes: number) => void;
}

export interface Bringing {
  readonly piece: Piece;
  /** The piece's place among those of the volume. */
  readonly order: number;
  readonly targets: readonly LoadTarget[];
  /** What it is read into; at least one, and the first has `BLOCK` bytes. */
  readonly slots: readonly Buffer[];
}

/** What became of a piece: what is wrong with its bytes, and at which target, in their order, what failed. */
export interface Brought {
  readonly damage: unknown;
  readonly failures: readonly { readonly target: LoadTarget; readonly error: unknown }[];
}

/** Pieces up to this size are read at once, and are known to be good before anybody gets them. */
export function isSmall(piece: Piece): boolean {
  return piece.size <= BLOCK && runOf(piece).size <= BLOCK;
}

/**
 * Reads a piece once, hashes it once, and hands it to all targets that need it. Begins with the medium's turn in hand and
 * gives it back as soon as the targets have enough to do.
 */
export async function bring(bringing: Bringing, medium: Medium): Promise<Brought> {
  const { piece, targets } = bringing;
  const { digest, size, start, end } = runOf(piece);
  const blob = { mediaType: 'application/octet-stream', digest, size };
  const { content, read } = isSmall(piece) ? await wholePiece(bringing, medium) : longPiece(bringing, medium);
  const received = content.branches.flatMap((branch, at) => {
    const target = targets[at];
    return target === undefined ? [] : [target.receive(blob, { start, end }, branch)];
  });
  const outcomes = await Promise.allSettled(received);
  const damage = await read;
  const failures = outcomes.flatMap((outcome, at) => {
    const target = targets[at];
    if (target === undefined || outcome.status === 'fulfilled') return [];
    const error = outcome.reason as unknown;
    // Bytes that are not what was signed are the medium's failure, at all targets.
    return damage !== undefined && asDrayError(error).code === asDrayError(damage).code ? [] : [{ target, error }];
  });
  return { damage, failures };
}

interface Reading {
  readonly content: FanOut;
  /** Settled when nothing more is read: what is wrong with the bytes, if anything is. Never rejected. */
  readonly read: Promise<unknown>;
}

async function wholePiece({ piece, targets, slots }: Bringing, medium: Medium): Promise<Reading> {
  try {
    const bytes = piece.encoding === undefined ? readWhole(piece, slots, medium) : await unpackWhole(piece, medium);
    const content = new FanOut([bytes], targets.length, { taken: takenBy(targets) });
    if (bytes.length > 0) content.push(bytes);
    content.end();
    return { content, read: Promise.resolve(undefined) };
  } catch (damage) {
    return { content: new FanOut([], 0), read: Promise.resolve(damage) };
  } finally {
    medium.turns.give();
  }
}

/** With synchronous calls: promises would cost more than the bytes. */
function readWhole(piece: Piece, [slot]: readonly Buffer[], { volume, reader, read }: Medium): Buffer {
  const { fd, start, close } = reader.place(piece);
  try {
    const bytes = (slot ?? Buffer.alloc(BLOCK)).subarray(0, piece.size);
    const seen = bytes.length === 0 ? 0 : readSync(fd, bytes, 0, bytes.length, start);
    read(seen);
    proveStored(volume, piece, { digest: digestOf(bytes.subarray(0, seen)), size: seen });
    return bytes;
  } finally {
    close();
  }
}

async function unpackWhole(piece: Piece, medium: Medium): Promise<Buffer> {
  const { digest, size } = runOf(piece);
  return Buffer.from((await collect(plainBytes(piece, storedBytes(piece, medium)), size, BLOCK, digest)).buffer);
}

async function* storedBytes(piece: Piece, { reader, read }: Medium): Blocks {
  for await (const block of reader.stored(piece)) {
    read(block.length);
    yield block;
  }
}

function longPiece(bringing: Bringing, medium: Medium): Reading {
  const { piece, targets, slots } = bringing;
  const { openHash, signal } = medium;
  const hasher = piece.encoding === undefined ? openHash(piece.size) : undefined;
  const content = new FanOut(slots, targets.length, {
    taken: takenBy(targets),
    ...(hasher === undefined ? {} : { observe: hasher.update }),
  });
  const stop = (): void => content.end(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const reading = hasher === undefined ? unpacked(bringing, medium, content) : plain(bringing, medium, content, hasher);
  const read = reading
    .then(
      () => content.end(),
      (damage: unknown) => {
        content.end(damage);
        return damage;
      },
    )
    .finally(() => signal.removeEventListener('abort', stop));
  return { content, read };
}

async function plain(
  { piece, order }: Bringing,
  { volume, reader, turns, read }: Medium,
  content: FanOut,
  hasher: Running<string>,
): Promise<void> {
  let seen = 0;
  try {
    const { fd, start, close } = placedWith(turns, () => reader.place(piece));
    try {
      const isWhole = await fill(content, turns, order, async (slot) => {
        const block = await readFully(fd, slot.subarray(0, piece.size - seen), start + seen);
        seen += block.length;
        read(block.length);
        return block;
      });
      if (!isWhole) return;
      await content.observed();
      proveStored(volume, piece, { digest: `sha256:${await hasher.result()}`, size: seen });
    } finally {
      close();
    }
  } finally {
    hasher.drop();
  }
}

/** A frame's bytes come in blocks of the decoder's own. */
async function unpacked({ piece, order }: Bringing, medium: Medium, content: FanOut): Promise<void> {
  const blocks = plainBytes(piece, storedBytes(piece, medium))[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  try {
    await fill(content, medium.turns, order, async (slot) => {
      let filled = 0;
      while (filled < slot.length) {
        if (rest.length === 0) {
          const next = await blocks.next();
          if (next.done === true) break;
          rest = next.value;
        }
        const part = rest.subarray(0, slot.length - filled);
        slot.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
      }
      return slot.subarray(0, filled);
    });
  } finally {
    await blocks.return?.();
  }
}

/**
 * Fills slot after slot. Holds the medium's turn, which it comes with, while it reads; false where nobody takes any more
 * before the end.
 */
async function fill(
  content: FanOut,
  turns: MediumTurns,
  order: number,
  next: (slot: Buffer) => Promise<Buffer>,
): Promise<boolean> {
  for (;;) {
    try {
      while (content.isVacant && !turns.isContested(order)) {
        const slot = await content.vacancy();
        if (slot === undefined) return false;
        const block = await next(slot);
        if (block.length === 0) return true;
        content.push(block);
      }
    } finally {
      turns.give();
    }
    if ((await content.vacancy()) === undefined) return false;
    await turns.take(order);
  }
}

function placedWith<T>(turns: MediumTurns, place: () => T): T {
  try {
    return place();
  } catch (error) {
    turns.give();
    throw error;
  }
}

function takenBy(targets: readonly LoadTarget[]): Taken {
  return (taker, bytes) => targets[taker]?.took(bytes);
}
