import { printable } from '../../io/safe-path.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { formatReference } from '../../oci/reference.ts';
import type { Reference } from '../../oci/reference.ts';
import { parseVersion } from '../../oci/version-range.ts';
import { fetchPublished } from './fetch.ts';
import { chartName } from './name.ts';
import { pinPublished } from './pins.ts';
import { inspect, takeTag } from './published.ts';
import { OCI, parseOci } from './repository.ts';
import { fullName } from '../images/names.ts';
import { entryInvalid, forEntry } from '../pinned.ts';
import type { Source } from '../source.ts';

/** `charts` by `ref`: `oci://HOST/REPOSITORY:VERSION` or `…@sha256:…`, carried as it is, to the byte. */
export const chartRefSource: Source = {
  kind: 'charts',
  origin: 'ref',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const reference = parseChartReference(entry);
      const url = `${OCI}${formatReference(reference)}`;
      const published = await takeTag(url, into, env);
      const root = published.manifest?.root.descriptor ?? published.package;
      const chart = await inspect(
        published,
        env,
        saidBy(reference),
        `name it by its digest if it is the one you mean: ${url}@${root.digest}`,
      );
      const name = chartName(entry, fullName(reference, root.digest));
      const version = reference.tag?.replaceAll('_', '+') ?? chart.metadata.version;
      const repository = url.slice(0, url.lastIndexOf('/'));
      return [await pinPublished(entry, { published, chart, name, repository, version }, into, env)];
    }),
  fetch: fetchPublished,
  upstreams: (entry) => {
    const { host, repository, tag, digest } = parseChartReference(entry);
    return [{ type: 'repository', host, repository, reference: digest ?? tag }];
  },
};

/** What `helm push` makes of a chart's name and version; whoever names a digest has looked at what it is. */
function saidBy({
  repository,
  tag = '',
  digest,
}: Reference): { readonly name: string; readonly version?: string } | undefined {
  if (digest !== undefined) return undefined;
  const version = tag.replaceAll('_', '+');
  const name = repository.slice(repository.lastIndexOf('/') + 1);
  return parseVersion(version) === undefined ? { name } : { name, version };
}

/** A version is its tag. @throws `manifest-invalid` */
function parseChartReference(entry: Entry): Reference {
  const expected = `ref ${printable(entry.value)}: expected oci://HOST/REPOSITORY:VERSION`;
  if (!entry.value.startsWith(OCI)) throw entryInvalid(entry, expected);
  const text = entry.value.slice(OCI.length);
  const reference = parseOci(entry.value);
  if (!text.includes('@') && text.lastIndexOf(':') < text.lastIndexOf('/'))
    throw entryInvalid(entry, `${expected}, found no version`);
  return reference;
}
