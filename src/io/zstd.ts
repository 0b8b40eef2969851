import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import { DrayError } from '../errors.ts';

/** Bytes in, bytes out, as they come; blocks are borrowed. */
type Blocks = AsyncIterable<Uint8Array>;

/** What is used of `zstd-napi/binding`. Written out here, so that this compiles where the package could not be installed. */
interface Binding {
  readonly CCtx: new () => {
    setParameter(parameter: number, value: number): void;
    setPledgedSrcSize(size: number): void;
    compress2(output: Uint8Array, input: Uint8Array): number;
    /** Answers what is left to flush, bytes produced, bytes consumed. */
    compressStream2(output: Uint8Array, input: Uint8Array, directive: number): [number, number, number];
  };
  readonly DCtx: new () => { decompressStream(output: Uint8Array, input: Uint8Array): [number, number, number] };
  readonly CParameter: { readonly compressionLevel: number };
  readonly EndDirective: { readonly continue: number; readonly end: number };
  compressBound(size: number): number;
  versionString(): string;
}

const OUTPUT = 1024 * 1024;

export interface Encoder {
  /** Name and version: the same encoder, level and content give the same frame. */
  readonly name: string;
  /** One frame, with the content's size in its header and no checksum of its own (the piece's digest is better). */
  encode(blocks: Blocks, size: number, level: number): Blocks;
  /** The size that a sample shrinks to. */
  sample(bytes: Uint8Array, level: number): number;
}

/** The encoder, where zstd-napi is installed: it is native, and an installation without a compiler goes without. */
export function findEncoder(): Encoder | undefined {
  const zstd = binding();
  if (zstd === undefined) return undefined;
  const context = (level: number): InstanceType<Binding['CCtx']> => {
    const made = new zstd.CCtx();
    made.setParameter(zstd.CParameter.compressionLevel, level);
    return made;
  };
  return {
    name: `zstd ${zstd.versionString()}`,
    sample: (bytes, level) => context(level).compress2(Buffer.alloc(zstd.compressBound(bytes.length)), bytes),
    encode: (blocks, size, level) => encoding(zstd, context(level), blocks, size),
  };
}

async function* encoding(zstd: Binding, context: InstanceType<Binding['CCtx']>, blocks: Blocks, size: number): Blocks {
  context.setPledgedSrcSize(size);
  const output = Buffer.alloc(OUTPUT);
  for await (const block of blocks) {
    for (let taken = 0; taken < block.length;) {
      const [, produced, consumed] = context.compressStream2(output, block.subarray(taken), zstd.EndDirective.continue);
      taken += consumed;
      if (produced > 0) yield output.subarray(0, produced);
    }
  }
  for (let left = 1; left > 0;) {
    const [remaining, produced] = context.compressStream2(output, new Uint8Array(), zstd.EndDirective.end);
    left = remaining;
    if (produced > 0) yield output.subarray(0, produced);
  }
}

/**
 * The content of one zstd frame, at most `limit` bytes: zstd-napi where it is installed, Node's own from 22.15 on, else
 * fzstd, which is plain JavaScript and slow. The caller has checked or checks the digest of what goes in and comes out.
 * @throws `content-damaged`
 */
export async function* decode(blocks: Blocks, limit: number, subject: string): Blocks {
  let seen = 0;
  const zstd = binding();
  const plain =
    zstd !== undefined
      ? nativeDecoding(zstd, blocks)
      : 'createZstdDecompress' in zlib
        ? nodeDecoding(blocks)
        : scriptDecoding(blocks);
  try {
    for await (const block of plain) {
      seen += block.length;
      if (seen > limit) break;
      yield block;
    }
  } catch (error) {
    if (error instanceof DrayError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new DrayError('content-damaged', `${subject}: is not a zstd frame (${(error as Error).message})`, {
      cause: error,
    });
  }
  if (seen > limit) throw new DrayError('content-damaged', `${subject}: unpacks to more than ${limit} bytes`);
}

async function* nativeDecoding(zstd: Binding, blocks: Blocks): Blocks {
  const context = new zstd.DCtx();
  const output = Buffer.alloc(OUTPUT);
  let expected = 1;
  for await (const block of blocks) {
    let produced = 0;
    for (let taken = 0; taken < block.length || produced === output.length;) {
      const result = context.decompressStream(output, block.subarray(taken));
      expected = result[0];
      produced = result[1];
      taken += result[2];
      if (produced > 0) yield output.subarray(0, produced);
      if (produced === 0 && result[2] === 0) break;
    }
  }
  if (expected !== 0) throw new Error('the frame ends early');
}

/** Typed by hand: the types of Node 20 do not know it. */
interface NodeZstd {
  createZstdDecompress(): NodeJS.ReadWriteStream & AsyncIterable<Buffer>;
}

async function* nodeDecoding(blocks: Blocks): Blocks {
  const stream = (zlib as unknown as NodeZstd).createZstdDecompress();
  const feeding = (async () => {
    // Copied: the stream reads on while the next block overwrites this one.
    for await (const block of blocks)
      if (!stream.write(Buffer.from(block))) await new Promise((resolve) => stream.once('drain', resolve));
    stream.end();
  })();
  feeding.catch((error: unknown) => stream.emit('error', error));
  yield* stream;
  await feeding;
}

async function* scriptDecoding(blocks: Blocks): Blocks {
  let ready: Uint8Array[] = [];
  const progress = { ended: false };
  const stream = new Decompress((bytes, final) => {
    if (bytes.length > 0) ready.push(bytes);
    progress.ended ||= final === true;
  });
  for await (const block of blocks) {
    stream.push(Uint8Array.from(block));
    yield* take();
  }
  stream.push(new Uint8Array(), true);
  yield* take();
  if (!progress.ended) throw new Error('the frame ends early');

  function take(): Uint8Array[] {
    const taken = ready;
    ready = [];
    return taken;
  }
}

/** What unpacks zstd here, and what packs it: undefined where nothing does. */
export function zstdHere(): { readonly decoder: 'zstd-napi' | 'node' | 'fzstd'; readonly encoder: string | undefined } {
  const encoder = findEncoder()?.name;
  if (encoder !== undefined) return { decoder: 'zstd-napi', encoder };
  return { decoder: 'createZstdDecompress' in zlib ? 'node' : 'fzstd', encoder };
}

let found: Binding | null | undefined;

function binding(): Binding | undefined {
  if (found !== undefined) return found ?? undefined;
  try {
    found = createRequire(import.meta.url)('zstd-napi/binding') as Binding;
  } catch {
    // Not installed, or built for another system: everything but encoding works without.
    found = null;
  }
  return found ?? undefined;
}
