import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { indexBytes } from '../../src/bundle/compose.ts';
import { formatPiece } from '../../src/bundle/table.ts';
import type { Piece } from '../../src/bundle/table.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { openSigner } from '../../src/signing/signer.ts';
import { indexOf, linesOf, mediaIn, mediumOf } from './damage.ts';

/** Anything of a bundle's metadata, to be changed at will. */
export type Loose<T> = T extends readonly (infer I)[]
  ? Loose<I>[]
  : T extends object
    ? { -readonly [K in keyof T]: Loose<T[K]> }
    : T;

export interface Forgery {
  readonly index: Loose<BundleIndex>;
  /** The lines of each volume's table; number 1 first. */
  readonly tables: Loose<Piece>[][];
}

/**
 * What somebody who holds a trusted key could publish, or a broken packer: index and tables as they are after `change`,
 * everything that follows from them put right (digests, counts, SHA256SUMS), and signed again. `text` is the last word
 * on the bytes of bundle.json.
 */
export async function forge(
  media: string,
  key: string,
  change: (forgery: Forgery) => void,
  text: (json: string) => string | Buffer = (json) => json,
): Promise<void> {
  const index = indexOf(media);
  const volumes = index.volumes.map(({ number }) => ({ number, medium: mediumOf(media, number) }));
  const tables = volumes.map(({ number }) => linesOf(media, number).map((line) => ({ ...line })));
  const texts = tables.map((lines) => lines.map(lineOf).join(''));
  const stored = index.volumes.map((volume) => volume.stored);
  change({ index, tables });
  for (const [at, lines] of tables.entries()) {
    const table = lines.map(lineOf).join('');
    const volume = index.volumes[at];
    if (volume === undefined || table === texts[at]) continue;
    volume.pieces = {
      file: volume.pieces.file,
      size: Buffer.byteLength(table),
      digest: digestOf(table),
      lines: lines.length,
    };
    if (volume.stored === stored[at]) volume.stored = lines.reduce((total, { size }) => total + size, 0);
    for (const medium of mediaIn(media)) writeFileSync(join(media, medium, volumeFile(index, at + 1, 'pieces')), table);
  }
  await publish(media, key, text(indexBytes(index).toString()));
}

/** Puts a bundle.json on every medium, signed, and lists anew what lies there. */
export async function publish(media: string, key: string, bundleJson: string | Buffer): Promise<void> {
  const signer = openSigner(readFileSync(key, 'utf8'), { file: key });
  const signature = await signer.sign({ digest: digestOf(Buffer.from(bundleJson)), name: 'forged', sequence: 1 });
  for (const medium of mediaIn(media)) {
    const directory = join(media, medium);
    for (const name of readdirSync(directory)) if (name.endsWith('.sigstore.json')) rmSync(join(directory, name));
    writeFileSync(join(directory, 'bundle.json'), bundleJson);
    writeFileSync(join(directory, 'bundle.json.1.sigstore.json'), signature);
    writeFileSync(join(directory, 'SHA256SUMS'), sumsOf(directory));
  }
}

/** What `sha256sum` would print for every file. */
export function sumsOf(directory: string): string {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'SHA256SUMS')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return files.map((file) => `${hexOf(file)}  ${file.slice(directory.length + 1)}\n`).join('');
}

function hexOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function lineOf(piece: Loose<Piece>): string {
  return `${formatPiece(piece)}\n`;
}

function volumeFile({ name, sequence }: Pick<BundleIndex, 'name' | 'sequence'>, volume: number, kind: string): string {
  return `${name}-${sequence}.v${String(volume).padStart(4, '0')}.${kind}`;
}
