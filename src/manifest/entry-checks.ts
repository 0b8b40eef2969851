import { DrayError } from '../errors.ts';
import { errorAt } from '../io/place.ts';
import type { Place } from '../io/place.ts';
import { isSafePath, printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import type { Origin } from './manifest.ts';
import { parseReference } from '../oci/reference.ts';
import type { Fields } from './entry-fields.ts';
import type { WrittenEntry } from './manifest-file.ts';

/** What a schema cannot say of an entry, checked before anything is read or asked. @throws `manifest-invalid` */
export function checkEntry(written: WrittenEntry, origin: Origin, fields: Fields): void {
  const { kind, label } = written;
  const place = (key: keyof Fields): Place => (typeof written.written === 'string' ? written.at() : written.at(key));
  const refuse = (key: keyof Fields, message: string, hint?: string): never => {
    throw errorAt(place(key), 'manifest-invalid', `${label}.${key}: ${message}`, hint);
  };
  for (const key of ['ref', 'path', 'list', 'url', 'as'] as const)
    if (holdsLogin(fields[key] ?? ''))
      refuse(
        key,
        'expected no login in it, found one',
        'logins belong into the tool\'s own place: see docs/manifest.md, "Credentials"',
      );
  if (fields.ref !== undefined) checkReference(fields.ref, place('ref'));
  if (kind === 'charts' && fields.ref !== undefined && !/[:@][^/]*$/.test(fields.ref))
    refuse('ref', 'expected a version or a digest behind the name, found neither');
  if (fields.platforms?.includes('all') === true && fields.platforms.length > 1)
    refuse('platforms', 'expected `all` or a list of platforms, found both');
  if (fields.sha256 !== undefined && origin !== 'url')
    refuse('sha256', `expected it beside url, found it beside ${origin}`);
  if (fields.name !== undefined && !isName(fields.name))
    refuse('name', `expected a plain name, found ${JSON.stringify(printable(fields.name))}`);
  if (fields.as !== undefined) checkAs(fields.as, written, origin, refuse);
}

/** An image or a chart, as the registry's protocol allows it. @throws `manifest-invalid`, at this place */
export function checkReference(text: string, place: Place): void {
  const fail = (message: string): never => {
    throw errorAt(place, 'manifest-invalid', message);
  };
  if (holdsLogin(text)) fail('expected a reference without a login, found one');
  try {
    parseReference(text.replace(/^oci:\/\//, ''));
  } catch (error) {
    fail(error instanceof DrayError ? printable(error.message) : String(error));
  }
}

/** The `sha256` of a URL, with or without its prefix. */
export function parseDigestText(text: string): Digest {
  return `sha256:${text.toLowerCase().replace(/^sha256:/, '')}`;
}

type Refuse = (key: keyof Fields, message: string, hint?: string) => never;

function checkAs(as: string, { kind, at }: WrittenEntry, origin: Origin, refuse: Refuse): void {
  const isPrefix = as.endsWith('/');
  if (kind === 'images') {
    if (origin === 'list' && !isPrefix)
      refuse(
        'as',
        'expected a final slash, because a list has several names',
        'what stands before the slash is put before each name',
      );
    checkReference(isPrefix ? `${as}name` : as, at('as'));
    if (as.includes('@')) refuse('as', 'expected a name with a tag, found a digest');
  } else if (kind === 'models' || kind === 'files') {
    if (!isSafePath(as.replace(/\/$/, '')) && !/^\.\/?$/.test(as))
      refuse('as', `expected a relative path that every system can write, found ${JSON.stringify(printable(as))}`);
  }
}

function isName(text: string): boolean {
  return isSafePath(text) && !text.includes('/');
}

/** `user:password@host`, with a scheme or without; never a digest behind a tag. */
function holdsLogin(text: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#@]*@|[^/@\s]+:[^/@\s]*@(?!sha\d+:))/i.test(text);
}
