import { statSync } from 'node:fs';
import { DrayError } from '../../errors.ts';
import { untilAborted } from '../../io/abortable.ts';
import { BLOCK, readBlocks } from '../../io/disk/ring.ts';
import { gunzip } from '../../io/gunzip.ts';
import { printable } from '../../io/safe-path.ts';
import { nameInside, tarNames, typeOf } from '../../io/tar/names.ts';
import { readTarStream } from '../../io/tar/stream.ts';
import { decode } from '../../io/zstd.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { OCTET_STREAM } from '../../oci/media-types.ts';
import { oneBlock } from '../../store/blob-store.ts';
import type { BlobReader, BlobWriter, Blocks } from '../../store/blob-store.ts';
import { damagedArchive } from './archive-files.ts';
import type { ArchiveFile, ArchiveFiles, Compression } from './archive-files.ts';
import { METADATA_LIMIT } from './imgpkg-list.ts';
import type { SourceEnvironment } from '../source.ts';

/**
 * What a compressed archive may unpack to, in bytes: so many times its own size, and this much in any case. Layers of zeros
 * shrink a thousandfold, whole images do not.
 */
export const UNPACK_LIMIT = { times: 200, least: 1024 * 1024 * 1024 };

/** What says which images there are. It mostly stands at the end, and is kept in memory until then. */
const METADATA: readonly string[] = ['oci-layout', 'index.json', 'manifest.json', 'repositories'];
/** Beside each layer of docker save before 25: for docker before 1.10. */
const OF_OLD = /\/(?:json|VERSION)$/;
/** Names that state a digest: of an OCI layout, of imgpkg. */
const STATED = /^(?:blobs\/sha256\/([0-9a-f]{64})|sha256-([0-9a-f]{64})\.tar\.gz)$/;

/**
 * The files of a compressed tar, in one pass. It cannot be read from any byte on, so its content goes into the store as it
 * comes by, but for what the store has; only then is known which of it is needed.
 * @throws `not-supported` for xz and bzip2; `content-damaged` where it is cut short, is no tar, unpacks to too much, or a file
 * has another digest than its name; `no-room`
 */
export async function streamArchive(
  path: string,
  compression: Compression,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<ArchiveFiles> {
  const { size } = statSync(path);
  const limit = Math.max(size * UNPACK_LIMIT.times, UNPACK_LIMIT.least);
  const names = tarNames<ArchiveFile>(path);
  const receiving = { path, into, env, claim: inSteps(env.claim, size) };
  let left = limit;
  for await (const { header, content } of readTarStream(unpack(path, compression, limit), path)) {
    const name = nameInside(header.name, path);
    const isFile = typeOf(header) === 'file';
    if (isFile && (left -= header.size) < 0) throw tooLarge(path, limit);
    names.add(header, await take({ name, size: isFile ? header.size : 0, content }, receiving));
  }
  return { path, find: (name) => names.find(name) };
}

interface Passing {
  readonly name: string;
  readonly size: number;
  readonly content: Blocks;
}

interface Receiving {
  readonly path: string;
  readonly into: BlobWriter;
  readonly env: SourceEnvironment;
  readonly claim: (bytes: number) => Promise<void>;
}

async function take({ name, size, content }: Passing, to: Receiving): Promise<ArchiveFile> {
  const file = { name, path: to.path, size, isOwnFile: false };
  if (METADATA.includes(name)) {
    const bytes = size > METADATA_LIMIT ? new Uint8Array() : await gather(content, size, to.path, name);
    return { ...file, content: (from) => oneBlock(bytes.subarray(from)) };
  }
  if (size === 0 || OF_OLD.test(name)) return { ...file, content: () => oneBlock(new Uint8Array()) };
  const blob = await keep({ name, size, content }, to);
  return { ...file, digest: blob.digest, content: (from) => stored(blob, from, to.env.store) };
}

async function keep({ name, size, content }: Passing, { path, into, env, claim }: Receiving): Promise<Descriptor> {
  const mediaType = OCTET_STREAM;
  const [, inLayout, inImgpkg] = STATED.exec(name) ?? [];
  const hex = inLayout ?? inImgpkg;
  if (hex !== undefined) {
    const stated = { mediaType, digest: `sha256:${hex}` as const, size };
    if (await into.has(stated)) return stated;
  }
  await claim(size);
  env.expect?.(size);
  const blob = await into.add(untilAborted(content, env.ctx.signal), mediaType, size);
  if (blob.size !== size) throw damagedArchive(path, `ends within ${printable(name)}`);
  if (hex === undefined || blob.digest === `sha256:${hex}`) return blob;
  throw damagedArchive(path, `${printable(name)}: expected sha256:${hex}, found ${blob.digest}`);
}

function stored(blob: Descriptor, from: number, store: BlobReader): Blocks {
  return store.get(blob, from === 0 ? undefined : { start: from, end: blob.size });
}

async function gather(content: Blocks, size: number, path: string, name: string): Promise<Uint8Array> {
  const whole = new Uint8Array(size);
  let filled = 0;
  for await (const block of content) {
    whole.set(block, filled);
    filled += block.length;
  }
  if (filled === size) return whole;
  throw damagedArchive(path, `ends within ${printable(name)}`);
}

/** What it unpacks to stands nowhere: room for as much again is asked for whenever what was asked for is used up. */
function inSteps(claim: SourceEnvironment['claim'], first: number): (bytes: number) => Promise<void> {
  let claimed = 0;
  let used = 0;
  return async (bytes) => {
    used += bytes;
    if (used <= claimed) return;
    const more = Math.max(bytes, claimed, first);
    await claim(more);
    claimed = Math.max(claimed + more, used);
  };
}

async function* unpack(path: string, compression: Compression, limit: number): Blocks {
  let left = limit;
  for await (const block of soundly(path, compression)) {
    if ((left -= block.length) < 0) throw tooLarge(path, limit);
    yield block;
  }
}

/** What a decompressor finds wrong is said of the archive. */
async function* soundly(path: string, compression: Compression): Blocks {
  try {
    yield* decompressed(path, compression);
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException;
    if (syscall !== undefined || (error instanceof DrayError && error.code !== 'content-damaged')) throw error;
    const { message } = error as Error;
    throw damagedArchive(path, `is cut short or damaged (${compression}: ${printable(message)})`, error);
  }
}

function decompressed(path: string, compression: Compression): Blocks {
  const packed = readBlocks(path);
  if (compression === 'gzip') return gunzip(packed, BLOCK / 4);
  if (compression === 'zstd') return decode(packed, Number.MAX_SAFE_INTEGER, 'its content');
  throw new DrayError(
    'not-supported',
    `${printable(path)}: expected a tar, plain or compressed with gzip or zstd, found one compressed with ${compression}`,
    { hint: 'decompress it first', where: { file: path } },
  );
}

function tooLarge(path: string, limit: number): DrayError {
  const { times, least } = UNPACK_LIMIT;
  return new DrayError(
    'content-damaged',
    `${printable(path)}: expected it to unpack to at most ${limit} bytes, found more`,
    {
      hint: `an archive may unpack to ${times} times its size, or ${least} bytes; decompress it first if it is what it should be`,
      where: { file: path },
    },
  );
}
