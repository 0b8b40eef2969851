import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { LockedBlob } from '../../manifest/lock.ts';
import { parseNgcName } from '../../manifest/ngc-name.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { collect } from '../../store/blob-store.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { titled } from '../named-files.ts';
import { entryInvalid } from '../pinned.ts';
import type { SourceEnvironment } from '../source.ts';
import { CHECKSUMS, CHECKSUMS_LIMIT, parseChecksums } from './checksums.ts';
import { openClient } from './client.ts';
import type { Collection, NgcClient } from './client.ts';
import { look, receive } from './content.ts';
import type { Looked, Looking } from './content.ts';
import { openFiles } from './files.ts';
import { checkListed } from './titles.ts';
import { findVersion } from './version.ts';
import type { Version } from './version.ts';

/** A version of a model or a resource, found and listed; nothing of it is received but its checksums. */
export interface Found {
  readonly client: NgcClient;
  readonly version: Version;
  /** `ngc://ORG/TEAM/NAME:VERSION` */
  readonly from: string;
  /** As they are listed, each a path that can be written everywhere. */
  readonly paths: readonly string[];
  readonly looking: Looking;
  readonly sums: ReadonlyMap<string, string>;
}

const NONE: ReadonlyMap<string, string> = new Map();

/** Finds the version that an entry asks for, and its files. */
export async function findFiles(
  collection: Collection,
  entry: Entry,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<Found> {
  const name = parseNgcName(entry.value);
  if (name === undefined)
    throw entryInvalid(entry, `ngc ${printable(entry.value)}: expected ORG[/TEAM]/NAME[:VERSION]`);
  const client = openClient(collection, name, env);
  const version = await findVersion(client, env.ctx);
  const from = `${client.subject}:${version.id}`;
  const files = await openFiles(client, version, env.ctx);
  const looking = { files, into, of: from };
  const { paths, refused } = files;
  if (paths !== undefined) checkListed(paths, from);
  const sums = paths === undefined || paths.includes(CHECKSUMS) ? await readSums(looking, env, refused) : NONE;
  const all = paths ?? named(sums, version, from);
  warnOfMissing(sums, all, from, env);
  return { client, version, from, paths: all, looking, sums };
}

/** The checksums are a file like others: it goes into the store first, and is read from there. */
async function readSums(
  looking: Looking,
  { store, ctx }: SourceEnvironment,
  refused: DrayError | undefined,
): Promise<ReadonlyMap<string, string>> {
  const looked = await look(CHECKSUMS, undefined, looking).catch((error: unknown) => {
    // Who may neither list nor see what names the files is refused what it asked for at first.
    const isRefused = error instanceof DrayError && ['not-found', 'login-refused'].includes(error.code);
    throw refused !== undefined && isRefused ? refused : error;
  });
  if ((looked.size ?? 0) > CHECKSUMS_LIMIT)
    throw new DrayError('upstream-invalid', `${looking.of}: ${CHECKSUMS}: expected at most ${CHECKSUMS_LIMIT} bytes`);
  ctx.signal.throwIfAborted();
  const blob = await receive(looked, 'text/plain', looking, CHECKSUMS_LIMIT);
  return parseChecksums(await collect(store.get(blob), blob.size, CHECKSUMS_LIMIT, CHECKSUMS), looking.of);
}

/** Where NGC lists no files: those that have a checksum, and the checksums. */
function named(sums: ReadonlyMap<string, string>, version: Version, from: string): readonly string[] {
  const paths = [...new Set([...sums.keys(), CHECKSUMS])].sort();
  checkListed(paths, from);
  if (version.files !== undefined && version.files !== paths.length)
    throw new DrayError(
      'upstream-invalid',
      `${from}: expected ${version.files} files, found ${paths.length} named in ${CHECKSUMS}, and NGC refuses to list them`,
    );
  return paths;
}

function warnOfMissing(
  sums: ReadonlyMap<string, string>,
  paths: readonly string[],
  from: string,
  { ctx }: SourceEnvironment,
): void {
  const listed = new Set(paths);
  const missing = [...sums.keys()].filter((path) => !listed.has(path));
  if (missing.length === 0) return;
  const message = `${from}: ${CHECKSUMS} names ${missing.length} files that it does not have, such as ${printable((missing[0] ?? '').slice(0, 200))}`;
  ctx.report({ type: 'warning', message });
}

/**
 * Receives the files of a version that the store does not have, several at a time, after saying how many bytes that is, and
 * under which licence. `titleOf` and `typeOf` say what a file is called in its artifact.
 * @throws `upstream-invalid` where the files are not as many bytes as NGC says; `no-room`
 */
export async function pinFilesOf(
  { version, from, paths, looking, sums }: Found,
  shape: { readonly titleOf: (path: string) => string; readonly typeOf: (path: string) => string },
  env: SourceEnvironment,
): Promise<readonly LockedBlob[]> {
  const looked = await parallel(paths, env.ctx, (path) => look(path, sums.get(path), looking));
  checkSize(looked, version, from);
  const missing = looked.reduce((sum, file) => sum + file.missing, 0);
  env.ctx.report({ type: 'detail', message: told(looked, version, from, missing) });
  if (missing > 0) await env.claim(missing);
  env.expect?.(missing);
  const blobs = await parallel(looked, env.ctx, async (file) => {
    const blob = await receive(file, shape.typeOf(file.path), looking);
    const identity = file.blake3 === undefined ? {} : { identity: `blake3:${file.blake3}` };
    return titled(blob, shape.titleOf(file.path), false, identity);
  });
  refuseOther(blobs, from, env);
  // However NGC lists them, the same files are the same lock.
  return blobs.toSorted((a, b) => ((a.title ?? '') < (b.title ?? '') ? -1 : 1));
}

/** A version never moves: what was locked of it is what it has. @throws `upstream-moved` */
function refuseOther(blobs: readonly LockedBlob[], from: string, { previous = [] }: SourceEnvironment): void {
  const locked = previous.find((artifact) => artifact.from === from);
  const before = new Map(locked?.blobs.flatMap(({ title, digest }) => (title === undefined ? [] : [[title, digest]])));
  const other = blobs.find(({ title = '', digest }) => before.get(title) !== digest);
  if (locked === undefined || (other === undefined && before.size === blobs.length)) return;
  const said = other === undefined ? 'has fewer files' : `${printable(other.title ?? '')} is not what was locked`;
  throw new DrayError('upstream-moved', `${from}: ${said}, and a version never changes`, {
    hint: 'ask whoever publishes it; to take what it has now, remove it from the lock and run `dray lock`',
  });
}

function checkSize(looked: readonly Looked[], { size }: Version, from: string): void {
  if (size === undefined || looked.some((file) => file.size === undefined)) return;
  const found = looked.reduce((sum, file) => sum + (file.size ?? 0), 0);
  if (found !== size)
    throw new DrayError('upstream-invalid', `${from}: expected files of ${size} bytes in all, found ${found}`);
}

function told(looked: readonly Looked[], { licence }: Version, from: string, missing: number): string {
  const size = looked.reduce((sum, file) => sum + (file.size ?? 0), 0);
  const terms = licence === undefined ? 'NGC states no licence' : `licence: ${licence}`;
  return `${from}: ${looked.length} files, ${size} bytes, ${terms}; streaming ${missing} bytes into the store to pin their SHA-256`;
}
