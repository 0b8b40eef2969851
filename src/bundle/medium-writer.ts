import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../errors.ts';
import { TEMPORARY_PREFIX, atomicWrite } from '../io/disk/atomic-write.ts';
import { printable } from '../io/safe-path.ts';
import { hexOf } from '../oci/digest.ts';
import type { BundleIndex } from './bundle-index.ts';
import type { WrittenVolume } from './compose.ts';
import { BUNDLE_JSON, READ_ME, SUMS, signatureFile, signatureNumber } from './names.ts';
import { readMe } from './read-me.ts';
import { filePathOf, parsePiece } from './table.ts';

/** Everything of a bundle that lies beside its volumes, ready to be written to each medium. */
export interface Finished {
  readonly index: BundleIndex;
  /** The bytes of bundle.json. */
  readonly bytes: Uint8Array;
  readonly volumes: readonly WrittenVolume[];
  /** Texts of signature files, in order. */
  readonly signatures: readonly string[];
}

/** Path below the medium, `sha256sum`'s hexadecimal digits, and size in bytes. */
interface Listed {
  readonly path: string;
  readonly hex: string;
  readonly size: number;
}

/**
 * Makes a directory ready to become a medium: what a killed pack of the same bundle left is removed, anything else that
 * lies there is refused, so that nothing travels that nobody signed.
 * @throws `medium-occupied`
 */
export function prepareMedium(directory: string, expected: ReadonlySet<string>, stale: RegExp): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) {
    if (expected.has(name)) continue;
    if (!name.startsWith(TEMPORARY_PREFIX) && !stale.test(name)) {
      throw new DrayError(
        'medium-occupied',
        `${directory}: holds ${printable(name)}, which does not belong to this bundle`,
      );
    }
    rmSync(join(directory, name), { recursive: true });
  }
}

/**
 * Writes what lies beside the volumes: tables, chunk files, READ-ME.txt, signatures and SHA256SUMS. Answers the bytes of
 * all files of the medium, bundle.json included.
 */
export async function finishMedium(directory: string, medium: number, finished: Finished): Promise<number> {
  const { index, bytes, volumes, signatures } = finished;
  const listed: Listed[] = [];
  const write = async (path: string, content: string | Uint8Array): Promise<void> => {
    await atomicWrite(join(directory, path), content);
    listed.push(listing(path, content));
  };
  for (const { number, pieces, chunks, archive, ...entry } of index.volumes) {
    const written = volumes.find((volume) => volume.number === number);
    if (written === undefined) throw new DrayError('internal', `volume ${number} was not written`);
    await write(pieces.file, written.table);
    if (entry.medium !== medium) continue;
    await write(chunks.file, written.chunks);
    if (archive !== null) listed.push({ path: archive.file, hex: hexOf(archive.digest), size: archive.size });
    else listed.push(...filesOfTable(written));
  }
  listed.push(listing(BUNDLE_JSON, bytes));
  const total = listed.reduce((sum, { size }) => sum + size, 0);
  await write(READ_ME, readMe(index, medium, listed.length, total));
  for (const [at, text] of signatures.entries()) await write(signatureFile(at + 1), text);
  await atomicWrite(join(directory, SUMS), sums(listed));
  return listed.reduce((sum, { size }) => sum + size, 0) + Buffer.byteLength(sums(listed));
}

/** Writes bundle.json: before that rename the directory is no medium of any bundle. */
export async function sealMedium(directory: string, { bytes }: Finished): Promise<void> {
  await atomicWrite(join(directory, BUNDLE_JSON), bytes);
}

/**
 * Lists the signature files of a medium that is not burnt yet in its SHA256SUMS: all anew, so that one which was killed on
 * its way to the list is in it the next time.
 */
export async function listSignatures(directory: string): Promise<void> {
  const isOther = (line: string): boolean => line !== '' && signatureNumber(line.slice(66)) === undefined;
  const listed = readFileSync(join(directory, SUMS), 'utf8');
  const others = listed.split('\n').filter(isOther);
  const signatures = readdirSync(directory).filter((name) => signatureNumber(name) !== undefined);
  const lines = signatures.map((name) => sumsLine(listing(name, readFileSync(join(directory, name)))));
  const next = `${[...others, ...lines].sort(byPath).join('\n')}\n`;
  if (next !== listed) await atomicWrite(join(directory, SUMS), next);
}

function filesOfTable(written: WrittenVolume): readonly Listed[] {
  const files = new Map<string, Listed>();
  for (const line of Buffer.from(written.table).toString('utf8').trimEnd().split('\n')) {
    const piece = parsePiece(Buffer.from(line), 'a table just written');
    files.set(filePathOf(piece), { path: filePathOf(piece), hex: hexOf(piece.digest), size: piece.size });
  }
  return [...files.values()];
}

function listing(path: string, content: string | Uint8Array): Listed {
  return { path, hex: createHash('sha256').update(content).digest('hex'), size: Buffer.byteLength(content) };
}

/** GNU's format: digits, two spaces, path; sorted by path (coreutils, sha256sum). */
function sums(listed: readonly Listed[]): string {
  return `${listed.map(sumsLine).sort(byPath).join('\n')}\n`;
}

function sumsLine({ hex, path }: Listed): string {
  return `${hex}  ${path}`;
}

function byPath(a: string, b: string): number {
  return a.slice(66) < b.slice(66) ? -1 : 1;
}
