import type { Finding } from '../bundle/finding.ts';
import { sizeOfRegular } from '../bundle/medium.ts';
import { bundleLabel, mediumDirectory, volumeStem } from '../bundle/names.ts';
import type { Check } from './check.ts';

/** Every volume is there, once, of the right size. */
export const volumesCheck: Check = {
  name: 'volumes',
  quick: true,
  run: async function* ({ bundle, partial }): AsyncGenerator<Finding> {
    await Promise.resolve();
    const { index, media, volumes, missing } = bundle;
    for (const { entry, medium, name, path } of volumes) {
      if (entry.archive === null) continue;
      const size = sizeOfRegular(path) ?? 0;
      if (size !== entry.archive.size)
        yield {
          severity: 'error',
          code: 'content-damaged',
          message: `${name}: expected ${entry.archive.size} bytes, found ${size}`,
          medium: medium.name,
          volume: name,
          hint: `copy ${name} again, or burn ${medium.name} again`,
        };
    }
    const given = new Set(media.filter((medium) => volumes.some((volume) => volume.medium === medium)).map(({ name }) => name));
    for (const { number, medium, archive } of missing) {
      const name = mediumDirectory(index, medium, index.media);
      if (partial && !given.has(name) && !media.some((found) => found.name === name)) continue;
      const volume = archive?.file ?? volumeStem(index, number);
      yield {
        severity: 'error',
        code: 'volume-missing',
        message: `${volume}: is on none of the media given`,
        medium: name,
        volume,
        hint: `insert ${name} (medium ${medium} of ${index.media} of ${bundleLabel(index)}); a volume that was renamed must get its name back`,
      };
    }
  },
};
