import { join } from 'node:path';
import type { Finding } from '../bundle/finding.ts';
import { sizeOfRegular } from '../bundle/medium.ts';
import { bundleLabel } from '../bundle/names.ts';
import { digestOfFile } from '../bundle/table-reader.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import type { Medium } from '../bundle/medium.ts';
import type { Check } from './check.ts';
import { damagedMedium } from './damaged-medium.ts';

/** Every medium is one of this bundle, and its tables and chunk files are what was signed. */
export const mediaCheck: Check = {
  name: 'media',
  quick: true,
  run: async function* ({ bundle }) {
    for (const { name } of bundle.strangers) {
      const label = bundleLabel(bundle.index);
      yield damagedMedium(name, `${name}/bundle.json: is not that of ${label} on the other media`);
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
      yield damagedMedium(
        medium.name,
        `${medium.name}/${file.file}: expected ${file.size} bytes with ${file.digest}, ${found ?? 'found other content'}`,
      );
    }
  }
}
