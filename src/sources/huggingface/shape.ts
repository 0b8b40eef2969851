import { hubPath, parseHubUri } from '../../oci/hub-name.ts';
import { document } from '../../oci/artifact.ts';
import { GIT_BLOB, MODEL_CONFIG } from '../../oci/media-types.ts';
import type { LockedBlob } from '../../manifest/lock.ts';
import { FILES } from '../files/path.ts';
import { MODEL } from '../models/path.ts';
import type { Shape } from '../named-files.ts';

/** How a lock has what git knows a file's content by. */
export const GIT = 'git:';

/** As models of a directory, with what a cache in the enclave needs: the commit, and git's ids of the small files. */
export const HUB_MODEL: Shape = {
  ...MODEL,
  config: (name, files, { from, about = {} }) => {
    const at = parseHubUri(from);
    const sourceURL = at === undefined ? from : `https://huggingface.co/${hubPath(at)}`;
    const licenses = about.licence === undefined ? {} : { licenses: [about.licence] };
    const diffIds = files.map(({ descriptor }) => descriptor.digest);
    return document(MODEL_CONFIG, {
      descriptor: { name, sourceURL, revision: about.commit, ...licenses },
      config: {},
      modelfs: { type: 'layers', diffIds },
    });
  },
  annotations: (title, blob) => ({ ...MODEL.annotations?.(title, blob), ...gitBlob(blob) }),
};

export const HUB_DATASET: Shape = { ...FILES, annotations: (_, blob) => gitBlob(blob) };

function gitBlob({ identity = '' }: LockedBlob): Readonly<Record<string, string>> {
  return identity.startsWith(GIT) ? { [GIT_BLOB]: identity.slice(GIT.length) } : {};
}
