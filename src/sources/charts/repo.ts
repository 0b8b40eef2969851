import { fetchPublished } from './fetch.ts';
import { chartName, tagOf } from './name.ts';
import { pinPublished } from './pins.ts';
import { inspect, takeChart } from './published.ts';
import { OCI, findChart, parseOci } from './repository.ts';
import { forEntry } from '../pinned.ts';
import type { Source } from '../source.ts';

/**
 * `charts` by `repo`: a chart of a repository, `https://…` or `oci://…`, by name and version or range. Its package stays as it
 * is published; one that came by HTTP is wrapped as `helm push` would, so the layer's digest is the one in the index.
 */
export const chartRepoSource: Source = {
  kind: 'charts',
  origin: 'repo',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const { value: repository, name: asked = '', version: range = '*' } = entry;
      const offer = await findChart({ repository, name: asked, version: range }, env);
      const published = await takeChart(offer, into, env);
      const chart = await inspect(published, env, offer);
      const name = chartName(entry, `charts/${offer.name}:${tagOf(offer.version)}`);
      const { version } = offer;
      return [await pinPublished(entry, { published, chart, name, repository, version }, into, env)];
    }),
  fetch: fetchPublished,
  upstreams: ({ value, name = '' }) => {
    const repository = value.replace(/\/+$/, '');
    if (!repository.startsWith(OCI)) return [{ type: 'url', url: `${repository}/index.yaml` }];
    const { host, repository: path } = parseOci(`${repository}/${name}`);
    return [{ type: 'repository', host, repository: path, reference: undefined }];
  },
};
