import { DrayError } from '../errors.ts';
import { errorAt } from '../io/place.ts';
import type { Place } from '../io/place.ts';
import { isSafePath, printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Fields } from './entry-fields.ts';
import type { WrittenEntry } from './manifest-file.ts';
import type { Origin } from './manifest.ts';
import { parseReference } from '../oci/reference.ts';
import { parseRange } from '../oci/version-range.ts';
import { parseVersionTag } from '../oci/version-tag.ts';
import { checkChart } from './chart-checks.ts';
import { checkHub } from './hub-checks.ts';
import { parseNgcName } from './ngc-name.ts';
import { readReference } from './reference-text.ts';
import { checkWheels } from './wheel-options.ts';

/**
 * What a schema cannot say of an entry, checked before anything is read or asked; `top` are the platforms of the manifest.
 * @throws `manifest-invalid`
 */
export function checkEntry(written: WrittenEntry, origin: Origin, fields: Fields, top: readonly string[]): void {
  const { kind, label } = written;
  const { ref, ngc, as, name, sha256, platforms, track } = fields;
  const place = (key: keyof Fields): Place => (typeof written.written === 'string' ? written.at() : written.at(key));
  const refuse = (key: keyof Fields, message: string, hint?: string): never => {
    throw errorAt(place(key), 'manifest-invalid', `${label}.${key}: ${message}`, hint);
  };
  for (const key of ['path', 'list', 'url', 'repo', 'ngc', 'as'] as const)
    if (LOGIN_IN_URL.test(fields[key] ?? '')) refuse(key, 'expected no login in it, found one', LOGIN_HINT);
  if (fields.index?.some((url) => LOGIN_IN_URL.test(url)) === true)
    refuse('index', 'expected no login in it, found one', '~/.netrc and pip keep it; docs/sources/wheels.md, "Logins"');
  if (ref !== undefined) checkReference(kind, ref, place('ref'));
  if (kind === 'charts' && ref !== undefined && !/[:@][^/]*$/.test(ref))
    refuse('ref', 'expected a version or a digest behind the name, found neither');
  if (ngc !== undefined && parseNgcName(ngc) === undefined)
    refuse('ngc', `expected ORG/NAME:VERSION or ORG/TEAM/NAME:VERSION, found ${quoted(ngc)}`);
  if (kind === 'images' && platforms?.includes('all') === true && platforms.length > 1)
    refuse('platforms', 'expected `all` or a list of platforms, found both');
  if (sha256 !== undefined && origin !== 'url') refuse('sha256', `expected it beside url, found it beside ${origin}`);
  if (name !== undefined && (!isSafePath(name) || name.includes('/')))
    refuse('name', `expected a name that every system can write, found ${quoted(name)}`);
  if (kind === 'charts') checkChart(fields, origin, refuse);
  if (kind === 'models' || kind === 'files') checkHub(kind, fields, origin, refuse);
  if (kind === 'wheels') checkWheels(fields, origin, top, refuse);
  if (track !== undefined) checkTrack(track, written, origin, ref, refuse);
  if (as !== undefined) checkAs(as, written, origin, refuse);
}

/** An image or a chart, as the registry's protocol allows it. @throws `manifest-invalid`, at this place */
export function checkReference(kind: Kind, text: string, place: Place): void {
  if (LOGIN_IN_URL.test(text) || LOGIN_IN_REFERENCE.test(text))
    throw errorAt(place, 'manifest-invalid', 'expected a reference without a login, found one', LOGIN_HINT);
  try {
    readReference(kind, text);
  } catch (error) {
    if (!(error instanceof DrayError)) throw error;
    throw errorAt(place, 'manifest-invalid', printable(error.message));
  }
}

/** The `sha256` of a URL, written with its prefix or without. */
export function parseSha256(text: string): Digest {
  return `sha256:${text.toLowerCase().replace(/^sha256:/, '')}`;
}

const LOGIN_IN_URL = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*@/i;
/** `user:password@host`; but a digest may stand behind a tag. */
const LOGIN_IN_REFERENCE = /^[^/@\s]+:[^/@\s]*@(?!sha\d+:)/i;
const LOGIN_HINT = '`docker login`, `helm registry login` or ~/.netrc keep it; docs/manifest.md, "Credentials"';

/** Refuses an entry at the place of one of its keys. */
export type Refuse = (key: keyof Fields, message: string, hint?: string) => never;

function checkTrack(
  track: string,
  { kind }: WrittenEntry,
  origin: Origin,
  ref: string | undefined,
  refuse: Refuse,
): void {
  if (kind !== 'images' || (origin !== 'ref' && origin !== 'list'))
    refuse('track', `expected it beside ref or list, found it beside ${origin}`);
  if (parseRange(track) === undefined)
    refuse('track', `expected a range such as ~2.6 or >=1.2 <2, found ${quoted(track)}`);
  if (ref === undefined) return;
  const { tag, digest } = parseReference(ref);
  if (digest !== undefined) refuse('track', 'expected a tag to move, found a digest, which never moves');
  if (parseVersionTag(tag ?? '') === undefined)
    refuse('track', `expected a tag with a version in it, such as v2.6.5-gpu, found ${quoted(tag ?? '')}`);
}

function checkAs(as: string, { kind, at }: WrittenEntry, origin: Origin, refuse: Refuse): void {
  const isPrefix = as.endsWith('/');
  if (kind === 'images') {
    if (origin === 'list' && !isPrefix)
      refuse('as', 'expected a final slash, because a list has several names', 'it is put before each of the names');
    checkReference(kind, isPrefix ? `${as}name` : as, at('as'));
    if (as.includes('@')) refuse('as', `expected a name, found a digest in ${quoted(as)}`);
  } else if (kind !== 'charts' && !isSafePath(as.replace(/\/$/, '')) && !(kind === 'files' && /^\.\/?$/.test(as))) {
    refuse('as', `expected a relative path that every system can write, found ${quoted(as)}`);
  }
}

function quoted(text: string): string {
  return JSON.stringify(printable(text));
}
