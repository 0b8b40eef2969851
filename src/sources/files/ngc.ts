import { parseNgcName } from '../../manifest/ngc-name.ts';
import { FILE } from '../../oci/media-types.ts';
import { pinTitled } from '../named-files.ts';
import { askedOf } from '../ngc/client.ts';
import { fetchVersion } from '../ngc/fetch.ts';
import { findFiles, pinFilesOf } from '../ngc/resolve.ts';
import { forEntry } from '../pinned.ts';
import { checkSafe, isHere, placed } from '../placement.ts';
import type { Source } from '../source.ts';
import { FILES } from './path.ts';

/**
 * `files` by `ngc`: a version of a resource, with all its files in a directory `NAME_vVERSION/`, where the CLI of NGC puts
 * them. Those for other platforms are carried as well, in the directories that they have.
 */
export const fileNgcSource: Source = {
  kind: 'files',
  origin: 'ngc',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const found = await findFiles('resources', entry, into, env);
      const { client, version, from } = found;
      const name = checkSafe(entry, placed(entry.as, `${client.name.name}_v${version.id}`));
      const prefix = prefixOf(entry.as, name);
      const blobs = await pinFilesOf(found, { titleOf: (path) => `${prefix}${path}`, typeOf: () => FILE }, env);
      for (const { title = '' } of blobs) checkSafe(entry, title);
      const about = {
        revision: version.id,
        ...(version.licence === undefined ? {} : { licence: version.licence }),
      };
      return [await pinTitled(entry, { name, from, blobs, shape: FILES, about }, into)];
    }),
  fetch: (locked, into, env) => {
    const { as } = locked.asked;
    const prefix = prefixOf(typeof as === 'string' ? as : undefined, locked.name);
    const pathOf = (title: string): string => title.slice(title.startsWith(prefix) ? prefix.length : 0);
    return fetchVersion(locked, { collection: 'resources', shape: FILES, pathOf }, into, env);
  },
  upstreams: (entry, environment) => askedOf('resources', parseNgcName(entry.value), environment),
};

/** `as: .`: straight below the target, without a directory. */
function prefixOf(as: string | undefined, name: string): string {
  return isHere(as) ? '' : `${name}/`;
}
