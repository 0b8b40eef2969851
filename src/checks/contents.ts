import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { blameArchive } from '../bundle/blame.ts';
import { chunkCount } from '../bundle/chunks.ts';
import { burnAgain, damageFindings } from '../bundle/damage.ts';
import { openDocuments } from '../bundle/documents.ts';
import type { Documents } from '../bundle/documents.ts';
import type { Finding } from '../bundle/finding.ts';
import { artifactGraph } from '../bundle/graph.ts';
import { plainBytes } from '../bundle/plain.ts';
import type { OpenBundle, OpenVolume } from '../bundle/reader.ts';
import { entryPathOf, runOf } from '../bundle/table.ts';
import type { Piece } from '../bundle/table.ts';
import { TRAILER, paddingSize, tarHeader } from '../bundle/tar-layout.ts';
import { openVolumeReader } from '../bundle/volume-reader.ts';
import type { VolumeReader } from '../bundle/volume-reader.ts';
import { asDrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import type { Check, Checked } from './check.ts';

/** Every stored byte is what was signed: pieces by their digests, headers and padding by what the table implies, cut blobs as a whole. */
export const contentsCheck: Check = {
  name: 'contents',
  quick: false,
  run: async function* (checked) {
    const whole = new WholeBlobs();
    const culprits = new Culprits(checked.bundle);
    for (const volume of checked.bundle.volumes) {
      const reader = openVolumeReader(volume);
      try {
        yield* volumeFindings({ volume, reader, checked, whole, culprits });
      } catch (error) {
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
  readonly checked: Checked;
  readonly whole: WholeBlobs;
  readonly culprits: Culprits;
}

async function* volumeFindings(looking: Looking): AsyncGenerator<Finding> {
  const { volume, checked, whole } = looking;
  const archive = volume.entry.archive !== null;
  let end = 0;
  let before = 0;
  for await (const piece of checked.bundle.table(volume.entry)) {
    checked.ctx.signal.throwIfAborted();
    if (archive) yield* headerFindings(looking, piece, end);
    try {
      await readPiece(looking, piece);
    } catch (error) {
      yield* damaged(looking, piece, before, asDrayError(error).message);
      if (archive && piece.offset + piece.size > (await sizeOf(looking))) return;
    }
    const mismatch = whole.ended(piece);
    if (mismatch !== undefined)
      yield* damaged(looking, piece, before, `${runOf(piece).digest}: its segments together are ${mismatch}`);
    end = piece.offset + piece.size;
    before += chunkCount(piece.size);
  }
  if (archive) yield* zeroFindings(looking, end, end + paddingSize(end) + TRAILER);
}

async function readPiece({ reader, checked, whole }: Looking, piece: Piece): Promise<void> {
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

/** Digests of blobs in segments, as far as all of them pass by in order. */
class WholeBlobs {
  private readonly open = new Map<Digest, { hash: Hash; end: number }>();

  async *passing(piece: Piece, blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { digest, start, end } = runOf(piece);
    const state =
      start === 0 && piece.start !== undefined ? { hash: createHash('sha256'), end: 0 } : this.open.get(digest);
    const follows = piece.start !== undefined && state?.end === start;
    if (follows) this.open.set(digest, state);
    for await (const block of blocks) {
      if (follows) state.hash.update(block);
      yield block;
    }
    if (follows) state.end = end;
  }

  /** After the last segment of a blob whose segments all passed: what they came to, if that is not the blob. */
  ended(piece: Piece): string | undefined {
    const { digest, end, size } = runOf(piece);
    const state = this.open.get(digest);
    if (piece.start === undefined || end !== size || state?.end !== size) return undefined;
    this.open.delete(digest);
    const found = `sha256:${state.hash.digest('hex')}`;
    return found === digest ? undefined : found;
  }
}

/** Which artifacts a damaged blob belongs to; looked up only once there is damage. */
class Culprits {
  private readonly bundle: OpenBundle;
  private documents: Promise<Documents> | undefined;

  constructor(bundle: OpenBundle) {
    this.bundle = bundle;
  }

  async artifactsWith(blob: Digest, volume: OpenVolume): Promise<string | undefined> {
    const documents = await (this.documents ??= openDocuments(this.bundle));
    const names: string[] = [];
    for (const artifact of this.bundle.index.artifacts.filter(({ volumes }) => volumes.includes(volume.entry.number))) {
      try {
        const graph = await artifactGraph(artifact, (document) => documents.read(document));
        const all = [
          ...graph.documents.map(({ descriptor }) => descriptor.digest),
          ...graph.blobs.map(({ digest }) => digest),
        ];
        if (all.includes(blob)) names.push(printable(artifact.name));
      } catch {
        // Its documents are damaged too, which is found by itself.
        if (artifact.delivers === blob) names.push(printable(artifact.name));
      }
    }
    return names.length === 0 ? undefined : names.join(', ');
  }
}
