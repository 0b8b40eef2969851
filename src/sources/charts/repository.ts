import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Reference } from '../../oci/reference.ts';
import { parseVersion } from '../../oci/version-range.ts';
import type { Network } from '../../registry/network.ts';
import { readIndex } from './index.ts';
import type { ChartIndex } from './index.ts';
import { tagOf } from './name.ts';
import { chooseVersion, versionOfTag } from './versions.ts';
import { shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';

/** What is looked for: a chart of a repository, `https://…` or `oci://…`, and a version or a range of them. */
export interface Wanted {
  readonly repository: string;
  readonly name: string;
  readonly version: string;
}

/** A published chart, found. */
export interface Offer {
  /** The repository that names it: whose login is shown, and to nobody else. */
  readonly repository: string;
  readonly name: string;
  /** As the repository writes it. */
  readonly version: string;
  /** Where it is, each as good as the other: `http(s)://….tgz`, or `oci://HOST/REPOSITORY:TAG`. */
  readonly urls: readonly string[];
  /** What the index says that it is; undefined where it says nothing. */
  readonly digest: Digest | undefined;
}

export const OCI = 'oci://';

/** @throws `not-found`, `upstream-invalid`, `unreachable`, `login-refused` */
export async function findChart(wanted: Wanted, env: SourceEnvironment): Promise<Offer> {
  return wanted.repository.startsWith(OCI) ? findTag(wanted, env) : findEntry(wanted, env);
}

/**
 * Reads `oci://HOST/REPOSITORY[:TAG][@DIGEST]`. The host is the first part, whatever it looks like, so one without a dot or a
 * port is refused: elsewhere it would be a part of Docker Hub.
 * @throws `manifest-invalid`
 */
export function parseOci(url: string): Reference {
  const text = tagOf(url.slice(OCI.length));
  if (/^(?:[^/]*[.:][^/]*|localhost)\//.test(text)) return parseReference(text);
  throw new DrayError(
    'manifest-invalid',
    `${printable(url)}: expected oci://HOST/REPOSITORY:VERSION, with a dot or a port in the host`,
  );
}

/** A version that is one, whole or not, is a tag for Helm; only for a range are the tags looked through. */
async function findTag({ repository, name, version }: Wanted, { network }: SourceEnvironment): Promise<Offer> {
  const base = `${repository.replace(/\/+$/, '')}/${name}`;
  const offer = (found: string): Offer => ({
    ...{ repository, name, version: found, digest: undefined },
    urls: [`${base}:${tagOf(found)}`],
  });
  if (parseVersion(version) !== undefined) return offer(version);
  const { host, repository: path } = parseOci(base);
  const versions: string[] = [];
  for await (const tag of network.repository(host, path).tags()) versions.push(versionOfTag(tag) ?? '');
  return offer(chooseVersion(versions, version, base));
}

async function findEntry({ repository, name, version }: Wanted, { network }: SourceEnvironment): Promise<Offer> {
  const subject = `${shown(repository)}: ${printable(name)}`;
  const entries = (await indexOf(repository, network))(name);
  if (entries === undefined || entries.length === 0)
    throw new DrayError('not-found', `${subject}: the repository has no chart of this name`);
  const usable = entries.filter(({ urls }) => urls.length > 0);
  const found = chooseVersion(
    usable.map((entry) => entry.version),
    version,
    subject,
  );
  const entry = usable.find((entry) => entry.version === found);
  const urls = (entry?.urls ?? []).map((url) => absolute(url, repository, subject));
  return { repository, name, version: found, urls, digest: digestOf(entry?.digest ?? '') };
}

const indexes = new WeakMap<Network, Map<string, Promise<ChartIndex>>>();

/** Several charts of a repository take one index: it is kept as long as the network is. */
function indexOf(repository: string, network: Network): Promise<ChartIndex> {
  const known = indexes.get(network) ?? new Map<string, Promise<ChartIndex>>();
  indexes.set(network, known);
  const url = absolute('index.yaml', repository, shown(repository));
  const found = known.get(url) ?? fetchIndex(url, network);
  known.set(url, found);
  found.catch(() => known.delete(url));
  return found;
}

async function fetchIndex(url: string, network: Network): Promise<ChartIndex> {
  const { content, size } = await network.file(url);
  return readIndex(content(0), shown(url), size);
}

/** As Helm resolves it: relative to the repository as a directory, whose query goes along (helm, ResolveReferenceURL). */
function absolute(url: string, repository: string, subject: string): string {
  const base = new URL(repository);
  base.pathname = `${base.pathname.replace(/\/$/, '')}/`;
  const parsed = URL.canParse(url, base.href) ? new URL(url, base) : undefined;
  if (parsed === undefined || !['http:', 'https:', 'oci:'].includes(parsed.protocol))
    throw new DrayError('upstream-invalid', `${subject}: expected an address in its index, found ${shown(url)}`);
  if (parsed.protocol === 'oci:') return url;
  if (!URL.canParse(url)) parsed.search = base.search;
  parsed.username = parsed.password = parsed.hash = '';
  return parsed.href;
}

/** With prefix or without; what is no SHA-256 says nothing. */
function digestOf(text: string): Digest | undefined {
  const [, hex] = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(text.trim()) ?? [];
  return hex === undefined ? undefined : `sha256:${hex.toLowerCase()}`;
}
