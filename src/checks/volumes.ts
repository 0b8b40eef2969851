import type { Finding } from '../bundle/finding.ts';
import { sizeOfRegular } from '../bundle/medium.ts';
import { burnAgain } from '../bundle/damage.ts';
import { mediumDirectory } from '../bundle/names.ts';
import type { Check } from './check.ts';

/** Every volume that should lie on the media given lies there, and has its size. Volumes of other media are not asked for here. */
export const volumesCheck: Check = {
  name: 'volumes',
  quick: true,
  run: async function* ({ bundle }): AsyncGenerator<Finding> {
    await Promise.resolve();
    const { index, media, volumes, missing } = bundle;
    for (const volume of volumes) {
      const { entry, medium, name, path } = volume;
      const size = sizeOfRegular(path) ?? 0;
      if (entry.archive === null || size === entry.archive.size) continue;
      const message = `${name}: expected ${entry.archive.size} bytes, found ${size}`;
      yield {
        severity: 'error',
        code: 'content-damaged',
        message,
        medium: medium.name,
        volume: name,
        hint: burnAgain(volume),
      };
    }
    for (const { number, medium, archive, chunks } of missing) {
      const name = mediumDirectory(index, medium, index.media);
      if (!media.some((given) => given.name === name)) continue;
      const message = `${name}: expected ${(archive ?? chunks).file} on it, found none`;
      const hint = `a volume that was renamed must get its name back; else burn ${name} again (volume ${number})`;
      yield { severity: 'warning', code: 'volume-missing', message, medium: name, hint };
    }
  },
};
