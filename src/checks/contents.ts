import { blameArchive } from '../bundle/blame.ts';
import { chunkCount } from '../bundle/chunks.ts';
import { burnAgain, damageFindings } from '../bundle/damage.ts';
import type { Finding } from '../bundle/finding.ts';
import { plainBytes } from '../bundle/plain.ts';
import type { OpenVolume } from '../bundle/reader.ts';
import { SmallPieces, isSmallBlob } from '../bundle/small-pieces.ts';
import { entryPathOf, runOf } from '../bundle/table.ts';
import type { Piece } from '../bundle/table.ts';
import { TRAILER, paddingSize, tarHeader } from '../bundle/tar-layout.ts';
import { openVolumeReader, proveStored } from '../bundle/volume-reader.ts';
import type { VolumeReader } from '../bundle/volume-reader.ts';
import { asDrayError } from '../errors.ts';
import { openHashRuns } from '../io/hash/hash-run.ts';
import type { HashRun } from '../io/hash/hash-run.ts';
import { comesFast } from '../io/disk/read-probe.ts';
import type { Check, Checked } from './check.ts';
import { Culprits } from './culprits.ts';
import { WholeBlobs } from './whole-blobs.ts';

/** Every stored byte is what was signed: pieces by their digests, headers and padding by what the table implies, cut blobs as a whole. */
export const contentsCheck: Check = {
  name: 'contents',
  quick: false,
  run: async function* (checked) {
    const whole = new WholeBlobs();
    const culprits = new Culprits(checked.bundle);
    const hashRun = openHashRuns(checked.ctx.jobs, checked.ctx.signal);
    for (const volume of checked.bundle.volumes) {
      const reader = openVolumeReader(volume);
      try {
        const small = new SmallPieces(volume, reader);
        yield* volumeFindings({ volume, reader, small, checked, whole, culprits, hashRun });
      } catch (error) {
        if (isOurs(error, checked)) throw error;
        const { code, message, hint } = asDrayError(error);
        yield { severity: 'error', code, message, medium: volume.medium.name, volume: volume.name, hint };
      } finally {
        reader.close();
      }
    }
  },
};

interface Looking {
  readonly volume: OpenVolume;
  readonly reader: VolumeReader;
  readonly small: SmallPieces;
  readonly checked: Checked;
  readonly whole: WholeBlobs;
  readonly culprits: Culprits;
  /** Undefined where threads would gain nothing. */
  readonly hashRun: HashRun | undefined;
}

/** What was found of one piece. */
interface Outcome {
  readonly findings: readonly Finding[];
  /** The volume ends within it: nothing behind it can be where the table says. */
  readonly cut: boolean;
}

/** Pieces that threads may be busy with while the table is read on. What is found comes in the order of the table. */
const AHEAD = 32;
/** A thread is asked for no less. */
const WORTH_A_THREAD = 4 * 1024 * 1024;

async function* volumeFindings(looking: Looking): AsyncGenerator<Finding> {
  const ahead: Promise<Outcome>[] = [];
  try {
    for await (const outcome of outcomes(looking, ahead)) {
      yield* outcome.findings;
      if (outcome.cut) return;
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}

/** Piece after piece, some of them hashed beside one another. */
async function* outcomes(looking: Looking, ahead: Promise<Outcome>[]): AsyncGenerator<Outcome> {
  const { volume, checked } = looking;
  const archive = volume.entry.archive !== null;
  let end = 0;
  let before = 0;
  for await (const piece of checked.bundle.table(volume.entry)) {
    checked.ctx.signal.throwIfAborted();
    if (archive) ahead.push(gathered(headerFindings(looking, piece, end)));
    await begin(looking, piece, before, ahead);
    while (ahead.length > AHEAD) yield (await ahead.shift()) as Outcome;
    end = piece.offset + piece.size;
    before += chunkCount(piece.size);
  }
  if (archive) ahead.push(gathered(zeroFindings(looking, end, end + paddingSize(end) + TRAILER)));
  while (ahead.length > 0) yield (await ahead.shift()) as Outcome;
}

/**
 * Begins with a piece, and waits for it unless a thread hashes it. Where the medium is slower than the hash (a disc, most
 * sticks) nothing is read beside anything else: its head would do nothing but move.
 */
async function begin(looking: Looking, piece: Piece, before: number, ahead: Promise<Outcome>[]): Promise<void> {
  const { hashRun, reader } = looking;
  const large = hashRun !== undefined && piece.size >= WORTH_A_THREAD;
  const fast = large && isFast(reader, piece);
  if (large && !fast) await Promise.allSettled(ahead);
  const beside = fast && piece.encoding === undefined && piece.start === undefined;
  const read = beside ? hashBeside(looking, piece, hashRun) : readPiece(looking, piece);
  const outcome = judged(looking, piece, before, read);
  // Whoever takes it hears of a failure; until then it must not count as unheard.
  outcome.catch(() => undefined);
  ahead.push(outcome);
  if (!beside) await outcome;
}

function isFast(reader: VolumeReader, piece: Piece): boolean {
  try {
    const { fd, start, close } = reader.place(piece);
    const fast = comesFast(fd, start);
    close();
    return fast;
  } catch {
    // It is not there as it should be; whoever reads it says how.
    return false;
  }
}

/** A fault in dray itself, or that it was told to stop: no damage of the medium's, and nobody waits for who is to blame. */
function isOurs(error: unknown, { ctx }: Checked): boolean {
  return ctx.signal.aborted || asDrayError(error).code === 'internal';
}

async function judged(looking: Looking, piece: Piece, before: number, read: Promise<void>): Promise<Outcome> {
  try {
    await read;
  } catch (error) {
    if (isOurs(error, looking.checked)) throw error;
    const { findings } = await gathered(damaged(looking, piece, before, asDrayError(error).message));
    const archive = looking.volume.entry.archive !== null;
    return { findings, cut: archive && piece.offset + piece.size > (await sizeOf(looking)) };
  }
  const mismatch = looking.whole.ended(piece);
  if (mismatch === undefined) return { findings: [], cut: false };
  const message = `${runOf(piece).digest}: its segments together are ${mismatch}`;
  return gathered(damaged(looking, piece, before, message));
}

async function gathered(findings: AsyncIterable<Finding>): Promise<Outcome> {
  const all: Finding[] = [];
  for await (const finding of findings) all.push(finding);
  return { findings: all, cut: false };
}

async function hashBeside({ reader, volume, checked }: Looking, piece: Piece, hashRun: HashRun): Promise<void> {
  const { fd, start, close } = reader.place(piece);
  try {
    const { hex, size } = await hashRun({ fd, start, size: piece.size }, checked.read);
    proveStored(volume, piece, { digest: `sha256:${hex}`, size });
  } finally {
    close();
  }
}

async function readPiece({ reader, small, checked, whole }: Looking, piece: Piece): Promise<void> {
  if (isSmallBlob(piece)) {
    small.read(piece, 0, checked.read);
    return;
  }
  const blocks = plainBytes(piece, whole.passing(piece, counted(reader.stored(piece), checked)))[
    Symbol.asyncIterator
  ]();
  while ((await blocks.next()).done !== true);
}

async function* counted(blocks: AsyncIterable<Uint8Array>, { read, ctx }: Checked): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) {
    ctx.signal.throwIfAborted();
    read(block.length);
    yield block;
  }
}

/** Padding of the piece before and the header of this one. */
async function* headerFindings(looking: Looking, piece: Piece, end: number): AsyncGenerator<Finding> {
  const header = tarHeader(entryPathOf(piece), piece.size);
  const expected = Buffer.concat([Buffer.alloc(Math.max(piece.offset - header.length - end, 0)), header]);
  const found = await looking.reader.between(end, piece.offset);
  if (expected.equals(found)) return;
  yield* betweenFindings(
    looking,
    end,
    piece.offset,
    `the tar header before byte ${piece.offset} is not that of ${entryPathOf(piece)}`,
  );
}

async function* zeroFindings(looking: Looking, start: number, end: number): AsyncGenerator<Finding> {
  const found = await looking.reader.between(start, end);
  if (found.length === end - start && found.every((byte) => byte === 0)) return;
  yield* betweenFindings(looking, start, end, `the end of the tar from byte ${start} on is not zeros`);
}

async function* betweenFindings({ volume }: Looking, start: number, end: number, how: string): AsyncGenerator<Finding> {
  const [chunk] = await blameArchive(volume).chunks({ offset: start, size: end - start });
  yield {
    severity: 'error',
    code: 'content-damaged',
    message: `${volume.name}: ${how}`,
    medium: volume.medium.name,
    volume: volume.name,
    ...(chunk === undefined ? {} : { chunk }),
    hint: burnAgain(volume),
  };
}

async function* damaged(
  { volume, culprits }: Looking,
  piece: Piece,
  chunksBefore: number,
  message: string,
): AsyncGenerator<Finding> {
  const artifact = piece.entry === undefined ? await culprits.artifactsWith(runOf(piece).digest, volume) : undefined;
  yield* await damageFindings({ volume, piece, chunksBefore, message, artifact });
}

async function sizeOf({ reader, volume }: Looking): Promise<number> {
  const size = volume.entry.archive?.size ?? 0;
  const last = await reader.between(Math.max(size - 1, 0), size);
  return last.length === 1 ? size : 0;
}
