import { resolve, dirname } from 'node:path';
import type { DrayError } from '../../errors.ts';
import { errorAt } from '../../io/place.ts';
import type { Place } from '../../io/place.ts';
import { printable } from '../../io/safe-path.ts';
import { includeOf, logicalLines } from '../../manifest/requirements.ts';
import type { Requirements, RequirementsFile } from '../../manifest/requirements.ts';
import { parseWheelName } from '../../oci/wheel-name.ts';
import { hashesIn } from './hashes.ts';
import type { Hash } from './hashes.ts';
import { parseRequirement } from './requirement.ts';
import type { Requirement } from './requirement.ts';
import { withoutLogins } from './python-tools.ts';

/** A requirement where it stands. */
export interface WrittenRequirement extends Requirement {
  readonly place: Place;
  /** Any of them will do; those in the URL among them. */
  readonly hashes: readonly Hash[];
}

/** Where packages are looked for, as a requirements file or pip's settings say it; URLs may hold logins. */
export interface IndexOptions {
  readonly index?: string;
  readonly extra: readonly string[];
  readonly findLinks: readonly string[];
  readonly noIndex: boolean;
}

/** A requirements file and all that it includes. */
export interface WrittenRequirements {
  readonly requirements: readonly WrittenRequirement[];
  readonly constraints: readonly WrittenRequirement[];
  readonly options: IndexOptions;
  readonly pre: boolean;
  readonly requireHashes: boolean;
}

type Collected = { -readonly [K in keyof WrittenRequirements]: WrittenRequirements[K] } & {
  readonly requirements: WrittenRequirement[];
  readonly constraints: WrittenRequirement[];
};

/**
 * Reads a requirements file as pip does (pip, docs/html/reference/requirements-file-format.md).
 * @throws `manifest-invalid`, with file and line, for what is no requirement, or one of something else than a published wheel
 */
export function readWritten(
  file: RequirementsFile,
  { files }: Requirements,
  environment: Readonly<Record<string, string | undefined>>,
): WrittenRequirements {
  const found: Collected = {
    ...{ requirements: [], constraints: [], pre: false, requireHashes: false },
    options: { extra: [], findLinks: [], noIndex: false },
  };
  const seen = new Set<string>();
  const read = (current: RequirementsFile, into: 'requirements' | 'constraints'): void => {
    if (seen.has(`${into} ${current.path}`)) return;
    seen.add(`${into} ${current.path}`);
    for (const { line, text: raw } of logicalLines(current.text)) {
      const place = { file: current.file, line, column: 1 };
      const include = includeOf(raw);
      const text = expand(raw, environment);
      if (include === undefined && text.startsWith('-')) takeOption(text, found, place);
      else if (include === undefined) found[into].push(readLine(text, place));
      else {
        const next = files.get(resolve(dirname(current.path), include.target));
        if (next !== undefined) read(next, into === 'constraints' ? into : include.type);
      }
    }
  };
  read(file, 'requirements');
  return found;
}

/** `${NAME}`, in capitals, from the environment; one that is not set stays, as for pip. */
function expand(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$\{([A-Z0-9_]+)\}/g, (written, name: string) => environment[name] || written);
}

function readLine(text: string, place: Place): WrittenRequirement {
  const at = text.search(/(?:^|\s)--?[a-z]/);
  const [written, options] = at < 0 ? [text, ''] : [text.slice(0, at).trim(), text.slice(at)];
  const bare = /^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? nameOfUrl(written, place) : written;
  const requirement = parseRequirement(bare);
  if (requirement === undefined)
    throw invalid(
      place,
      `expected NAME==VERSION, found ${told(written)}`,
      'wheels of your own, in a directory, are an entry of their own, by `path`',
    );
  const { url } = requirement;
  if (url !== undefined && !/^https?:\/\//i.test(url))
    throw invalid(
      place,
      `${requirement.project}: expected the URL of a wheel, https://…, found ${told(url)}`,
      'build a wheel of it, and carry the directory by `path`',
    );
  const stated = [...options.matchAll(/--hash(?:\s*=\s*|\s+)([^\s]+)/g)].map(([, hash = '']) => hash);
  const inUrl = [...(url ?? '').matchAll(/[#&](md5|sha1|sha224|sha256|sha384|sha512)=([0-9a-f]+)/gi)].map(
    ([, name = '', hex = '']) => `${name}:${hex}`,
  );
  return {
    ...requirement,
    place,
    hashes: hashesIn([...stated, ...inUrl], (said) => invalid(place, `${requirement.project}: ${said}`)),
  };
}

/** A URL without a name before it: its file name has it. */
function nameOfUrl(url: string, place: Place): string {
  const [address = '', ...marker] = url.split(/\s+;/);
  const name = parseWheelName(fileNameOf(address) ?? '');
  if (name !== undefined) return [`${name.project} @ ${address}`, ...marker].join(' ;');
  throw invalid(
    place,
    `expected the URL of a wheel, found ${told(address)}`,
    'write NAME @ URL; only wheels are carried',
  );
}

/** The last part of a URL's path, decoded. */
export function fileNameOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  try {
    return decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '');
  } catch {
    return undefined;
  }
}

function takeOption(text: string, found: Collected, place: Place): void {
  const [, name = '', value = ''] = /^(-[a-z]|--[a-z-]+)(?:\s*=\s*|\s+|(?<=^-[a-z]))?(.*)$/s.exec(text) ?? [];
  const { options } = found;
  switch (name) {
    case '-i':
    case '--index-url':
    case '--pypi-url':
      found.options = { ...options, index: value };
      return;
    case '--extra-index-url':
      found.options = { ...options, extra: [...options.extra, value] };
      return;
    case '-f':
    case '--find-links':
      found.options = { ...options, findLinks: [...options.findLinks, pageAddress(value, place)] };
      return;
    case '--no-index':
      found.options = { ...options, noIndex: true };
      return;
    case '--pre':
      found.pre = true;
      return;
    case '--require-hashes':
      found.requireHashes = true;
      return;
    case '-e':
    case '--editable':
      throw invalid(
        place,
        'expected a published package, found an editable one',
        'build a wheel of it, and carry the directory by `path`',
      );
    default:
      if (!IGNORED.has(name))
        throw invalid(place, `expected an option of requirements files, found ${printable(name || text)}`);
  }
}

/** They say how to build or to trust, which is not asked here: only wheels are taken, and TLS is as the upstreams file has it. */
const IGNORED: ReadonlySet<string> = new Set([
  '--only-binary',
  '--no-binary',
  '--prefer-binary',
  '--trusted-host',
  '--use-feature',
]);

function pageAddress(value: string, place: Place): string {
  if (/^https?:\/\//i.test(value)) return value;
  throw invalid(
    place,
    `--find-links: expected a URL, found ${printable(value)}`,
    'a directory of wheels is an entry of its own, by `path`',
  );
}

/** For people: an address without login, query and fragment. */
function told(text: string): string {
  return printable(withoutLogins(text).replace(/[?#].*$/s, '')).slice(0, 200);
}

function invalid(place: Place, message: string, hint?: string): DrayError {
  return errorAt(place, 'manifest-invalid', message, hint);
}
