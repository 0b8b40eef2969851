import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { errorAt, formatPlace } from '../io/place.ts';
import type { Place } from '../io/place.ts';
import { printable } from '../io/safe-path.ts';
import { parseManifestFile } from './manifest-file.ts';
import type { ManifestFile, Parts } from './manifest-file.ts';
import { readNamed } from './named-file.ts';
import { IncludedText } from './schema.ts';
import type { Environment } from './variables.ts';

/** Every file that a manifest includes, and those that these include, in the order in which they are named. @throws `manifest-invalid` */
export async function readIncluded(
  top: ManifestFile<Parts>,
  environment: Environment,
): Promise<readonly ManifestFile<Parts>[]> {
  const included = new Map<string, Place>();
  const follow = async (
    from: ManifestFile<Parts>,
    above: readonly string[],
  ): Promise<readonly ManifestFile<Parts>[]> => {
    const found: ManifestFile<Parts>[] = [];
    for (const { text, place } of from.include) {
      const file = isAbsolute(text) ? text : join(dirname(from.file), text);
      const real = await realpath(file).catch(() => resolve(file));
      const earlier = included.get(real);
      const refuse = (said: string): never => {
        throw errorAt(place, 'manifest-invalid', `include ${printable(text)}: ${said}`);
      };
      if (above.includes(real)) refuse('the file includes itself, straight or through others');
      if (earlier !== undefined) refuse(`it is included already at ${formatPlace(earlier)}`);
      included.set(real, place);
      const part = parseManifestFile(file, await readNamed({ text: file, place }), IncludedText, environment);
      found.push(part, ...(await follow(part, [...above, real])));
    }
    return found;
  };
  return follow(top, [await realpath(top.file)]);
}
