import { dirname, resolve } from 'node:path';
import { DrayError } from '../errors.ts';
import { readText } from '../io/bounded-text.ts';
import { errorAt } from '../io/place.ts';
import { printable } from '../io/safe-path.ts';
import { KINDS } from '../oci/kinds.ts';
import { refuseDuplicates } from './duplicates.ts';
import { effectivePlatforms, entriesOf } from './entries.ts';
import type { Frame } from './entries.ts';
import { checkGroups, groupsOf } from './groups.ts';
import { readIncluded } from './include.ts';
import { parseManifestFile } from './manifest-file.ts';
import type { ManifestFile } from './manifest-file.ts';
import type { Entry, Manifest } from './manifest.ts';
import { MANIFEST_LIMIT } from './named-file.ts';
import { ManifestText } from './schema.ts';
import type { Environment } from './variables.ts';

/**
 * A manifest as docs/manifest.md describes it, with everything it includes and lists. Entries are in the order of the
 * five kinds; within a kind those of the file itself come first, then those of the files it includes. Of local paths
 * only `include` and `list` are read. Messages name files as `file` was given.
 * @throws `manifest-invalid`; `not-supported` for keys that are known but not supported yet; both with line and column
 */
export async function readManifest(file: string, environment: Environment): Promise<Manifest> {
  const hint = '`dray init` writes one to start from';
  const text = await readText(file, { limit: MANIFEST_LIMIT, code: 'manifest-invalid', hint });
  const top = parseManifestFile(file, text, ManifestText, environment);
  const groups = groupsOf(top);
  const names = groups.map(({ name }) => name);
  const directory = dirname(resolve(file));
  const frame: Frame = {
    directory,
    platforms: platformsOf(top),
    groupsOf: (used) => checkGroups(used, names),
    environment,
  };
  const files = [top, ...(await readIncluded(top, environment))];
  const written = files.flatMap(({ entries }) => entries);
  const inOrder = KINDS.flatMap((kind) => written.filter((entry) => entry.kind === kind));
  const entries: Entry[] = [];
  for (const entry of inOrder) entries.push(...(await entriesOf(entry, frame)));
  refuseDuplicates(entries);
  if (entries.length === 0) throw nothing(file);
  return { name: top.value.name, file: resolve(file), directory, groups, entries };
}

function platformsOf({ value, at }: ManifestFile<ManifestText>): readonly string[] {
  const platforms = value.platforms ?? [];
  if (platforms.includes('all') && platforms.length > 1)
    throw errorAt(
      at(['platforms']),
      'manifest-invalid',
      'platforms: expected `all` or a list of platforms, found both',
    );
  return effectivePlatforms(platforms);
}

function nothing(file: string): DrayError {
  const message = `${printable(file)}: expected something to carry, found no entries`;
  return new DrayError('manifest-invalid', message, {
    where: { file },
    hint: `put at least one entry under one of ${KINDS.join(', ')}`,
  });
}
