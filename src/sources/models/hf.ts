import { hubPath } from '../../oci/hub-name.ts';
import { fetchHub } from '../huggingface/fetch.ts';
import { resolveHub, upstreamsOf } from '../huggingface/resolve.ts';
import type { HubKind } from '../huggingface/resolve.ts';
import { HUB_MODEL } from '../huggingface/shape.ts';
import { forEntry } from '../pinned.ts';
import { placed } from '../placement.ts';
import type { Source } from '../source.ts';
import { aboutModel } from './about.ts';
import { modelLayer } from './path.ts';
import { refusePickled } from './pickled.ts';

const MODELS: HubKind = {
  shape: HUB_MODEL,
  place: (as, repository) => ({ name: placed(as, hubPath(repository)), prefix: '' }),
  mediaType: modelLayer,
  about: async (entry, files, { card, ...stated }) => {
    const about = await aboutModel(files, stated);
    refusePickled(entry, about);
    return { ...about, ...(card === undefined ? {} : { card }) };
  },
};

/** `models` by `hf`: a repository of models on a Hugging Face Hub, at one commit. */
export const modelHubSource: Source = {
  kind: 'models',
  origin: 'hf',
  resolve: (entry, into, env) => forEntry(entry, async () => [await resolveHub(entry, MODELS, into, env)]),
  fetch: (locked, into, env) => fetchHub(locked, MODELS, into, env),
  upstreams: upstreamsOf,
};
