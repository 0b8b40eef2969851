import type { BundleArtifact } from '../bundle/bundle-index.ts';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { isRepository, isTag } from '../oci/reference.ts';
import { taggedName, withoutTag } from '../oci/tagged-name.ts';
import type { RegistrySpec } from '../site/site.ts';

export type NamingRules = Pick<RegistrySpec, 'registry' | 'naming' | 'rename'>;
type Named = Pick<BundleArtifact, 'kind' | 'name' | 'delivers'>;

/** Where an artifact goes in a registry. */
export interface RegistryPlace {
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
}

/** Registries count the host in (distribution-spec, "Pulling manifests"). */
const LONGEST = 255;

/**
 * An artifact's place: its name in the enclave, changed by the first `rename` whose `from` it begins with, else by
 * `naming`; below the prefix; with a tag, `d-<12 hex>` of what it delivers where it has none. Repositories are in lower
 * case; tags keep theirs, but for the `+` of a chart's version, which becomes `_` as helm has it.
 * @throws `cannot-hold` where that is no name for a registry
 */
export function placeInRegistry(artifact: Named, { registry, naming, rename }: NamingRules): RegistryPlace {
  const { host, prefix } = splitRegistry(registry);
  const full = taggedName(artifact.name.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/\/+$/, ''), artifact.delivers);
  const rule = rename.find(({ from }) => full.startsWith(from));
  const name = rule === undefined ? renamed(full, artifact, naming) : rule.to + full.slice(rule.from.length);
  const path = withoutTag(name);
  const repository = `${prefix}${path}`.toLowerCase();
  const tag = name.slice(path.length + 1).replaceAll('+', '_');
  if (isRepository(repository) && isTag(tag) && host.length + 1 + repository.length <= LONGEST)
    return { host, repository, tag };
  throw new DrayError(
    'cannot-hold',
    `${printable(artifact.name)}: would be ${printable(`${host}/${repository}:${tag}`)}, which is no name for a registry`,
    {
      hint: 'give it another with `rename` in the site file, or with `as` in the manifest',
      where: { artifact: artifact.name },
    },
  );
}

/** The same as text: `HOST/REPOSITORY:TAG`. @throws `cannot-hold` */
export function nameInRegistry(artifact: Named, rules: NamingRules): string {
  const { host, repository, tag } = placeInRegistry(artifact, rules);
  return `${host}/${repository}:${tag}`;
}

/** `HOST[:PORT]/PREFIX` as the site file has it; the prefix is empty or ends with a slash. */
export function splitRegistry(registry: string): { readonly host: string; readonly prefix: string } {
  const slash = registry.indexOf('/');
  if (slash < 0) return { host: registry, prefix: '' };
  const prefix = registry.slice(slash + 1).replace(/\/+$/, '');
  return { host: registry.slice(0, slash), prefix: prefix === '' ? '' : `${prefix}/` };
}

function renamed(full: string, { kind }: Named, naming: NamingRules['naming']): string {
  if (naming === 'name') return full.slice(full.lastIndexOf('/') + 1);
  const host = kind === 'images' || kind === 'charts' ? hostOf(full) : '';
  if (host === '') return full;
  const path = full.slice(host.length + 1);
  return naming === 'path' ? path : `${asPart(host)}/${path}`;
}

/** The host that a reference begins with: a first part with a dot, a port, or `localhost`; `charts/app:1` has none. */
function hostOf(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : '';
}

/** `localhost:5000` → `localhost-5000`, `[::1]:5000` → `1-5000`: what else a host may hold, a repository may not. */
function asPart(host: string): string {
  return host.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
}
