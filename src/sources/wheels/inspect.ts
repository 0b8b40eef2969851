import { createHash } from 'node:crypto';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { readZip } from '../../io/zip.ts';
import type { ZipEntry } from '../../io/zip.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { normaliseProject, parseWheelName } from '../../oci/wheel-name.ts';
import type { WheelName } from '../../oci/wheel-name.ts';
import { collect } from '../../store/blob-store.ts';
import type { BlobReader } from '../../store/blob-store.ts';
import { METADATA_LIMIT, readMetadata } from './metadata.ts';
import type { WheelMetadata } from './metadata.ts';
import { parseRecord } from './record.ts';

/** In bytes, of RECORD: a wheel of 100,000 files has one of 15 MB. */
const RECORD_LIMIT = 64 * 1024 * 1024;

/**
 * Looks into a wheel that is in the store: is it a zip, does its METADATA say what its file name says, and are the files in it those of
 * its RECORD, in name and size? Their bytes are not hashed one by one, the wheel's own digest has settled them; of METADATA itself the
 * hash is checked. Only the directory of the zip and two files are read.
 * @throws `upstream-invalid`
 */
export async function inspectWheel(file: string, blob: Descriptor, store: BlobReader): Promise<WheelMetadata> {
  const subject = printable(file);
  const name = parseWheelName(file);
  if (name === undefined) throw refuse(subject, 'expected the name of a wheel');
  const entries = await reading(subject, () =>
    readZip(blob.size, (start, end) => collect(store.get(blob, { start, end }), end - start, end - start, blob.digest)),
  );
  const info = infoDirectory(entries, name, subject);
  const metadata = await bytesOf(entries, `${info}/METADATA`, METADATA_LIMIT, subject);
  const record = await bytesOf(entries, `${info}/RECORD`, RECORD_LIMIT, subject);
  compareRecord(entries, { info, metadata, record: record.toString('utf8') }, subject);
  return readMetadata(metadata, name, subject);
}

/** `NAME-VERSION.dist-info`: just one, and of this project (packaging.python.org, binary-distribution-format). */
function infoDirectory(entries: readonly ZipEntry[], { project }: WheelName, subject: string): string {
  const found = new Set(entries.flatMap(({ name }) => /^([^/]+\.dist-info)\//.exec(name)?.[1] ?? []));
  const [info] = found;
  if (info === undefined || found.size > 1)
    throw refuse(subject, `expected one .dist-info directory, found ${found.size}`);
  const named = normaliseProject(info.replace(/\.dist-info$/, '').replace(/-[^-]*$/, ''));
  if (named !== project) throw refuse(subject, `expected the .dist-info of ${project}, found ${printable(info)}`);
  return info;
}

async function bytesOf(entries: readonly ZipEntry[], name: string, limit: number, subject: string): Promise<Buffer> {
  const found = entries.filter((entry) => entry.name === name);
  const [entry] = found;
  if (entry === undefined || found.length > 1)
    throw refuse(subject, `expected one ${printable(name)}, found ${found.length}`);
  return reading(subject, () => entry.read(limit));
}

interface Recorded {
  readonly info: string;
  readonly metadata: Buffer;
  readonly record: string;
}

function compareRecord(entries: readonly ZipEntry[], { info, metadata, record }: Recorded, subject: string): void {
  const lines = new Map(parseRecord(record).map((line) => [line.path, line]));
  const odd = (said: string): DrayError => refuse(subject, `its RECORD does not match: ${said}`);
  const seen = new Set<string>();
  for (const { name, size } of entries) {
    if (name.endsWith('/')) continue;
    if (seen.has(name)) throw odd(`${printable(name)} is in the archive twice`);
    seen.add(name);
    const line = lines.get(name);
    if (line === undefined && !isUnrecorded(name, info)) throw odd(`does not name ${printable(name)}`);
    if (line?.size !== undefined && line.size !== size)
      throw odd(`${printable(name)} has ${size} bytes, expected ${line.size}`);
  }
  const lost = [...lines.keys()].find((path) => !seen.has(path));
  if (lost !== undefined) throw odd(`names ${printable(lost)}, which is not in the archive`);
  const stated = lines.get(`${info}/METADATA`)?.sha256;
  const found = createHash('sha256').update(metadata).digest('base64url');
  if (stated !== undefined && stated !== found) throw odd('METADATA has another hash');
}

/** RECORD itself need not be named, and its signatures cannot be. */
function isUnrecorded(name: string, info: string): boolean {
  return [`${info}/RECORD`, `${info}/RECORD.jws`, `${info}/RECORD.p7s`].includes(name);
}

/** What the reader of the archive says, in our words. */
async function reading<T>(subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DrayError || (error as Error).name === 'AbortError') throw error;
    throw refuse(subject, `is no wheel, or damaged: ${printable((error as Error).message).slice(0, 200)}`, error);
  }
}

function refuse(subject: string, said: string, cause?: unknown): DrayError {
  return new DrayError('upstream-invalid', `${subject}: ${said}`, {
    hint: 'build the wheel again, or take another version of it; `wheel unpack` and `wheel pack` write its RECORD anew',
    cause,
  });
}
