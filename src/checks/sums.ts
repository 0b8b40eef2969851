import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../bundle/finding.ts';
import { readBounded, sizeBelow } from '../bundle/medium.ts';
import type { Medium } from '../bundle/medium.ts';
import { BUNDLE_JSON, READ_ME, SUMS } from '../bundle/names.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import { filePathOf } from '../bundle/table.ts';
import { digestOfFile } from '../bundle/table-reader.ts';
import { isSafePath, printable } from '../io/safe-path.ts';
import { hexOf } from '../oci/digest.ts';
import type { Check } from './check.ts';
import { damagedMedium } from './damaged-medium.ts';

/** A list of a disc full of small files. */
const SUMS_LIMIT = 512 * 1024 * 1024;

/** SHA256SUMS, which nobody signs, says of every file of the bundle what was signed; nothing lies there that it does not list. */
export const sumsCheck: Check = {
  name: 'sums',
  quick: true,
  run: async function* ({ bundle }) {
    for (const medium of bundle.media) {
      const lines = readLines(medium);
      if (typeof lines === 'string') yield damagedMedium(medium.name, lines);
      else yield* listFindings(medium, bundle, lines);
    }
  },
};

/** Hexadecimal digits by path; or what is wrong with the list. */
function readLines({ directory, name }: Medium): ReadonlyMap<string, string> | string {
  if (sizeBelow(directory, SUMS) === undefined) return `${name}/${SUMS}: expected the list of checksums, found none`;
  const text = Buffer.from(readBounded(join(directory, SUMS), SUMS_LIMIT)).toString('utf8');
  if (!text.endsWith('\n')) return `${name}/${SUMS}: expected a line feed at its end`;
  const sums = new Map<string, string>();
  for (const line of text.slice(0, -1).split('\n')) {
    const [, hex, file] = /^([0-9a-f]{64}) {2}([\x21-\x7e]+)$/.exec(line) ?? [];
    if (hex === undefined || file === undefined || !isSafePath(file))
      return `${name}/${SUMS}: has a line that is none of a checksum list`;
    sums.set(file, hex);
  }
  return sums;
}

async function* listFindings(
  medium: Medium,
  bundle: OpenBundle,
  sums: ReadonlyMap<string, string>,
): AsyncGenerator<Finding> {
  const archives = new Map(
    bundle.index.volumes.flatMap(({ archive }) => (archive === null ? [] : [[archive.file, hexOf(archive.digest)]])),
  );
  for (const [file, hex] of sums) {
    const signed = archives.get(file) ?? /^blobs\/sha256\/([0-9a-f]{64})$/.exec(file)?.[1];
    if (signed !== undefined) {
      if (signed !== hex)
        yield damagedMedium(medium.name, `${medium.name}/${SUMS}: has another digest for ${file} than was signed`);
    } else if (sizeBelow(medium.directory, file) === undefined)
      yield damagedMedium(medium.name, `${medium.name}/${file}: expected a file, found none`);
    else if ((await digestOfFile(join(medium.directory, file))) !== `sha256:${hex}`)
      yield damagedMedium(medium.name, `${medium.name}/${file}: is not what ${SUMS} says`);
  }
  for await (const file of filesOfBundle(medium, bundle))
    if (!sums.has(file)) yield damagedMedium(medium.name, `${medium.name}/${SUMS}: does not list ${file}`);
  yield* strayFindings(medium, sums);
}

/** What `sha256sum` alone must be able to check on this medium. */
async function* filesOfBundle(medium: Medium, { index, volumes, table }: OpenBundle): AsyncGenerator<string> {
  yield* [BUNDLE_JSON, READ_ME];
  for (const { name } of medium.signatures) yield name;
  for (const { pieces } of index.volumes) yield pieces.file;
  for (const { entry } of volumes.filter((volume) => volume.medium === medium)) {
    yield entry.chunks.file;
    if (entry.archive !== null) yield entry.archive.file;
    else
      try {
        for await (const piece of table(entry)) yield filePathOf(piece);
      } catch {
        // A table that cannot be read is a finding of its own.
      }
  }
}

function* strayFindings(medium: Medium, sums: ReadonlyMap<string, string>): Generator<Finding> {
  const listed = new Set([SUMS, ...[...sums.keys()].map((file) => file.split('/', 1)[0])]);
  for (const file of readdirSync(medium.directory)) {
    if (listed.has(file)) continue;
    yield {
      severity: 'warning',
      code: 'bundle-invalid',
      message: `${medium.name}/${printable(file)}: is not part of the bundle`,
      medium: medium.name,
      hint: 'it is never read; remove it, or find out who put it there',
    };
  }
}
