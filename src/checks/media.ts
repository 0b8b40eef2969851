import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../bundle/finding.ts';
import { readBounded, sizeOfRegular } from '../bundle/medium.ts';
import { SUMS, bundleLabel } from '../bundle/names.ts';
import { digestOfFile } from '../bundle/table-reader.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import type { Medium } from '../bundle/medium.ts';
import { printable } from '../io/safe-path.ts';
import { hexOf } from '../oci/digest.ts';
import type { Check } from './check.ts';

/** A list of a disc full of small files. */
const SUMS_LIMIT = 512 * 1024 * 1024;

/** Every medium is one of this bundle, and what lies beside its volumes is what was written. */
export const mediaCheck: Check = {
  name: 'media',
  quick: true,
  run: async function* ({ bundle }) {
    for (const { name } of bundle.strangers) {
      yield {
        severity: 'error',
        code: 'content-damaged',
        message: `${name}/bundle.json: is not that of ${bundleLabel(bundle.index)} on the other media`,
        medium: name,
        hint: `burn ${name} again`,
      };
    }
    for (const medium of bundle.media) yield* besideVolumes(medium, bundle);
  },
};

async function* besideVolumes(medium: Medium, { index, volumes }: OpenBundle): AsyncGenerator<Finding> {
  const own = volumes.filter((volume) => volume.medium === medium).map(({ entry }) => entry.number);
  for (const { number, pieces, chunks } of index.volumes) {
    for (const file of own.includes(number) ? [pieces, chunks] : [pieces]) {
      const path = join(medium.directory, file.file);
      const size = sizeOfRegular(path);
      const found = size === undefined ? 'found none' : size !== file.size ? `found ${size} bytes` : undefined;
      if (found === undefined && (await digestOfFile(path)) === file.digest) continue;
      yield damaged(
        medium,
        `${medium.name}/${file.file}: expected ${file.size} bytes with ${file.digest}, ${found ?? 'found other content'}`,
      );
    }
  }
  const archives = index.volumes.flatMap(({ archive }) =>
    archive === null ? [] : [[archive.file, hexOf(archive.digest)] as const],
  );
  yield* listed(medium, new Map(archives));
}

/** What SHA256SUMS lists is as it says, where content is checked by what was signed only in name; and nothing lies there that it does not list. */
async function* listed(medium: Medium, archives: ReadonlyMap<string, string>): AsyncGenerator<Finding> {
  const path = join(medium.directory, SUMS);
  if (!existsSync(path)) {
    yield damaged(medium, `${medium.name}/${SUMS}: expected the list of checksums, found none`);
    return;
  }
  const lines = Buffer.from(readBounded(path, SUMS_LIMIT)).toString('utf8').split('\n');
  const names = new Set<string>();
  for (const line of lines.slice(0, -1)) {
    const match = /^([0-9a-f]{64}) {2}([\x21-\x7e]+)$/.exec(line);
    const [, hex, file] = match ?? [];
    if (hex === undefined || file === undefined) {
      yield damaged(medium, `${medium.name}/${SUMS}: has a line that is none of a checksum list`);
      return;
    }
    names.add(file);
    const signed = archives.get(file) ?? /^blobs\/sha256\/([0-9a-f]{64})$/.exec(file)?.[1];
    if (signed !== undefined) {
      if (signed !== hex)
        yield damaged(medium, `${medium.name}/${SUMS}: has another digest for ${file} than was signed`);
    } else if (sizeOfRegular(join(medium.directory, file)) === undefined)
      yield damaged(medium, `${medium.name}/${printable(file)}: expected a file, found none`);
    else if ((await digestOfFile(join(medium.directory, file))) !== `sha256:${hex}`)
      yield damaged(medium, `${medium.name}/${printable(file)}: is not what ${SUMS} says`);
  }
  for (const file of readdirSync(medium.directory)) {
    if (names.has(file) || file === SUMS || [...names].some((name) => name.startsWith(`${file}/`))) continue;
    yield {
      severity: 'warning',
      code: 'bundle-invalid',
      message: `${medium.name}/${printable(file)}: is not part of the bundle`,
      medium: medium.name,
      hint: 'it is never read; remove it, or find out who put it there',
    };
  }
}

function damaged(medium: Medium, message: string): Finding {
  return {
    severity: 'error',
    code: 'content-damaged',
    message,
    medium: medium.name,
    hint: `burn ${medium.name} again`,
  };
}
