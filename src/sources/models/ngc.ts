import { ngcPath, parseNgcName } from '../../manifest/ngc-name.ts';
import { collect } from '../../store/blob-store.ts';
import type { LockedBlob } from '../../manifest/lock.ts';
import { pinTitled } from '../named-files.ts';
import { fetchVersion } from '../ngc/fetch.ts';
import { askedOf } from '../ngc/client.ts';
import { findFiles, pinFilesOf } from '../ngc/resolve.ts';
import { forEntry } from '../pinned.ts';
import { checkSafe, placed } from '../placement.ts';
import type { Source, SourceEnvironment } from '../source.ts';
import { aboutModel } from './about.ts';
import type { ModelFile } from './about.ts';
import { MODEL, modelLayer } from './path.ts';
import { refusePickled } from './pickled.ts';

/**
 * `models` by `ngc`: a version of a model, under `ORG/[TEAM/]NAME/VERSION`, where NGC's own tools and TAO have it too. NGC
 * states no SHA-256: what the store does not have is streamed into it once.
 */
export const modelNgcSource: Source = {
  kind: 'models',
  origin: 'ngc',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const found = await findFiles('models', entry, into, env);
      const { client, version, from, paths } = found;
      const stated = {
        revision: version.id,
        ...(version.licence === undefined ? {} : { licence: version.licence }),
      };
      // By their names alone, before anything is received of what the manifest refuses.
      refusePickled(entry, await aboutModel(paths.filter(isNoTensors).map(named), stated));
      const name = checkSafe(entry, placed(entry.as, `${ngcPath(client.name)}/${version.id}`));
      const blobs = await pinFilesOf(found, { titleOf: (path) => path, typeOf: modelLayer }, env);
      const about = await aboutModel(
        blobs.map((blob) => stored(blob, env)),
        stated,
      );
      return [await pinTitled(entry, { name, from, blobs, shape: MODEL, about }, into)];
    }),
  fetch: (locked, into, env) =>
    fetchVersion(locked, { collection: 'models', shape: MODEL, pathOf: (title) => title }, into, env),
  upstreams: (entry, environment) => askedOf('models', parseNgcName(entry.value), environment),
};

function isNoTensors(path: string): boolean {
  return !path.toLowerCase().endsWith('.safetensors');
}

function named(title: string): ModelFile {
  return { title, size: 0, read: () => Promise.resolve(new Uint8Array()) };
}

function stored({ digest, size, mediaType, title = '' }: LockedBlob, { store }: SourceEnvironment): ModelFile {
  return {
    title,
    size,
    read: (start, end) =>
      collect(store.get({ mediaType, digest, size }, { start, end }), end - start, end - start, title),
  };
}
