import { DrayError } from '../../errors.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';
import { builtInIndex } from './built-in-index.ts';
import { pipSettings } from './pip-settings.ts';
import type { IndexOptions } from './written.ts';

/** A package index, or a page of links. */
export interface IndexAddress {
  /** Without login, query and final slash: what the lock says. */
  readonly url: string;
  /** The same with the login that stood in it: shown to its own origin alone, and to nobody else. */
  readonly withLogin: string;
}

/** Where packages are looked for: the first index that has one wins; pages of links are looked at as well. */
export interface PackageIndexes {
  readonly indexes: readonly IndexAddress[];
  readonly pages: readonly IndexAddress[];
}

/**
 * The entry's own indexes; else those that its requirements files name; else pip's settings; else the one that pip or uv has built
 * in. Extra indexes go first, as uv has it: they are somebody's own, and no public package of the same name takes their place.
 * @throws `manifest-invalid` where an address is none; where none is known at all
 */
export async function packageIndexes(
  { index }: Pick<Entry, 'index'>,
  written: readonly IndexOptions[],
  env: SourceEnvironment,
): Promise<PackageIndexes> {
  const pages = written.flatMap(({ findLinks }) => findLinks);
  if (index !== undefined) return { indexes: index.map(addressOf), pages: pages.map(addressOf) };
  const noIndex = written.some((options) => options.noIndex);
  const named = written.find((options) => options.index !== undefined)?.index;
  const extra = written.flatMap((options) => options.extra);
  if (noIndex) return { indexes: [], pages: pages.map(addressOf) };
  const settings = await pipSettings(env.environment);
  const first = named ?? settings.index ?? (settings.noIndex ? undefined : await builtInIndex(env));
  const others = [...extra, ...(named === undefined ? settings.extra : [])];
  const addresses = [...others, ...(first === undefined ? [] : [first])].map(addressOf);
  return { indexes: distinct(addresses), pages: [...pages, ...settings.findLinks].map(addressOf) };
}

/** @throws `manifest-invalid` */
export function addressOf(text: string): IndexAddress {
  const url = /^https?:\/\/[^/]/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    throw new DrayError(
      'manifest-invalid',
      `${shown(text)}: expected the address of a package index, https://HOST/PATH`,
    );
  url.hash = url.search = '';
  url.pathname = url.pathname.replace(/\/+$/, '');
  const withLogin = url.href;
  url.username = url.password = '';
  return { url: url.href.replace(/\/+$/, ''), withLogin };
}

/** A URL with the login of an index, where it is of the same origin; `login: false` where it is not. */
export function loginFor(
  url: string,
  address: IndexAddress | undefined,
): { readonly url: string; readonly login: boolean } {
  if (address === undefined || !isSameOrigin(url, address.url)) return { url, login: false };
  const { username, password } = new URL(address.withLogin);
  const target = new URL(url);
  target.username = username;
  target.password = password;
  return { url: target.href, login: true };
}

/** Shown to people. */
export function namesOf({ indexes, pages }: PackageIndexes): string {
  const names = [...indexes, ...pages].map(({ url }) => shown(url));
  return names.length === 0 ? 'no index' : names.join(', ');
}

function isSameOrigin(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin;
}

function distinct(addresses: readonly IndexAddress[]): readonly IndexAddress[] {
  return [...new Map(addresses.map((address) => [address.url, address])).values()];
}
