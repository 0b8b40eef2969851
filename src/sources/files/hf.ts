import { hubPath } from '../../oci/hub-name.ts';
import { FILE } from '../../oci/media-types.ts';
import { fetchHub } from '../huggingface/fetch.ts';
import { resolveHub, upstreamsOf } from '../huggingface/resolve.ts';
import type { HubKind } from '../huggingface/resolve.ts';
import { HUB_DATASET } from '../huggingface/shape.ts';
import { forEntry } from '../pinned.ts';
import { isHere, placed } from '../placement.ts';
import type { Source } from '../source.ts';

/** Titles are whole paths below the target, as for a directory by `path`. */
const DATASETS: HubKind = {
  shape: HUB_DATASET,
  place: (as, repository) => {
    const name = placed(as, hubPath(repository));
    return { name, prefix: isHere(as) ? '' : `${name}/` };
  },
  mediaType: () => FILE,
};

/** `files` by `hf`: a dataset on a Hugging Face Hub, at one commit. */
export const datasetHubSource: Source = {
  kind: 'files',
  origin: 'hf',
  resolve: (entry, into, env) => forEntry(entry, async () => [await resolveHub(entry, DATASETS, into, env)]),
  fetch: (locked, into, env) => fetchHub(locked, DATASETS, into, env),
  upstreams: upstreamsOf,
};
