import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { BUNDLE_JSON, signatureNumber } from './names.ts';

/** Read before anything is trusted, so all of it is bounded. */
export const BUNDLE_JSON_LIMIT = 4 * 1024 * 1024;
const SIGNATURE_LIMIT = 1024 * 1024;
export const SIGNATURES_LIMIT = 16;

/** A directory with a bundle.json, as a disc or stick is mounted or as `pack` wrote it. Nothing is ever written to it. */
export interface Medium {
  readonly directory: string;
  /** The directory's own name, for people. */
  readonly name: string;
  readonly bundleJson: Uint8Array;
  /** Digest of those bytes: the identity of the bundle. */
  readonly digest: Digest;
  readonly signatures: readonly SignatureText[];
}

export interface SignatureText {
  readonly name: string;
  readonly text: string;
}

/**
 * The media in these directories: each is a medium, or holds several.
 * @throws `usage` where there is no such directory, `volume-missing` where none of them holds a medium
 */
export function findMedia(paths: readonly string[]): readonly Medium[] {
  const directories = [...new Set(paths.flatMap((path) => mediaBelow(resolve(path))))];
  if (directories.length > 0) return directories.map(readMedium);
  throw new DrayError(
    'volume-missing',
    `${paths.map(printable).join(', ')}: expected a medium (a directory with ${BUNDLE_JSON}), found none`,
    {
      hint: 'mount the disc or stick and give its mount point, or the directory that `dray pack` wrote to',
    },
  );
}

function mediaBelow(path: string): readonly string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new DrayError(
      'usage',
      `${printable(path)}: expected the directory of a medium, found ${statSync(path, { throwIfNoEntry: false }) ? 'a file' : 'nothing'}`,
    );
  if (isThere(join(path, BUNDLE_JSON))) return [path];
  return readdirSync(path)
    .sort()
    .map((name) => join(path, name))
    .filter((child) => isThere(join(child, BUNDLE_JSON)));
}

function readMedium(directory: string): Medium {
  const bundleJson = readBounded(join(directory, BUNDLE_JSON), BUNDLE_JSON_LIMIT);
  const names = readdirSync(directory).filter((name) => signatureNumber(name) !== undefined);
  if (names.length > SIGNATURES_LIMIT)
    throw new DrayError(
      'not-signed',
      `${directory}: expected at most ${SIGNATURES_LIMIT} signatures, found ${names.length}`,
    );
  names.sort((a, b) => (signatureNumber(a) ?? 0) - (signatureNumber(b) ?? 0));
  return {
    directory,
    name: basename(directory),
    bundleJson,
    digest: digestOf(bundleJson),
    signatures: names.map((name) => readSignature(join(directory, name))),
  };
}

/** A signature file, from a medium or given by itself. @throws `not-signed` where it cannot be one */
export function readSignature(path: string): SignatureText {
  try {
    return { name: basename(path), text: Buffer.from(readBounded(path, SIGNATURE_LIMIT)).toString('utf8') };
  } catch (error) {
    if (!(error instanceof DrayError)) throw error;
    throw new DrayError('not-signed', error.message, { where: { file: path }, cause: error });
  }
}

/** A small file of a medium, whole. Links, pipes and devices are never followed or read. @throws `bundle-invalid` */
export function readBounded(path: string, limit: number): Uint8Array {
  const fd = openRegular(path);
  try {
    const { size } = fstatSync(fd);
    if (size > limit)
      throw new DrayError('bundle-invalid', `${printable(path)}: expected at most ${limit} bytes, found ${size}`);
    const bytes = Buffer.alloc(size);
    let filled = 0;
    for (let count = 1; count > 0 && filled < size; filled += count)
      count = readSync(fd, bytes, filled, size - filled, filled);
    return bytes.subarray(0, filled);
  } finally {
    closeSync(fd);
  }
}

/** Opens a regular file for reading; the caller closes it. @throws `bundle-invalid` for links, pipes and devices */
export function openRegular(path: string): number {
  if (!lstatSync(path).isFile()) throw new DrayError('bundle-invalid', `${printable(path)}: expected a regular file`);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new DrayError('bundle-invalid', `${printable(path)}: expected a regular file`);
}

/** Size of a regular file; undefined for anything else. */
export function sizeOfRegular(path: string): number | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : undefined;
}

/** The same for a path with `/` below a medium; undefined also where a link stands on the way. */
export function sizeBelow(directory: string, path: string): number | undefined {
  const parents = path.split('/').slice(0, -1);
  const plain = parents.every((_, at) => isDirectory(join(directory, ...parents.slice(0, at + 1))));
  return plain ? sizeOfRegular(join(directory, path)) : undefined;
}

/** A directory itself, not a link to one. */
function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Files, and directories that nobody may look into (`lost+found`), lie beside media as well: they are none. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
