import type { IndexedVersion } from './index.ts';

/** An entry of an index under way: one version of a chart. */
export interface IndexEntry {
  /** Where it begins, from 1. */
  readonly line: number;
  /** A line within it, at this column; without the blanks before it. */
  readonly take: (column: number, isDash: boolean, line: () => string) => void;
  /** What it came to: nothing, where it has no version; `odd`, where it is written as no tool writes it. */
  readonly end: () => IndexedVersion | 'odd' | undefined;
}

const PLAIN = '[A-Za-z0-9./~^_+=-][^\\s]*[^\\s:]|[A-Za-z0-9./_~]';
const VALUE = `(?:(${PLAIN})|'([^']*)'|("(?:[^"\\\\]|\\\\.)*"))?`;
const COMMENT = '[ \\t]*(?:(?:^|[ \\t])#.*)?$';
const KEY = /^(?:([A-Za-z0-9_][^\s:#"']*)|"([^"\\]*)"|'([^']*)')[ \t]*:(?:[ \t]+(.*))?$/;
const SCALAR = new RegExp(`^${VALUE}${COMMENT}`);
const LISTED = new RegExp(`^-[ \\t]+${VALUE}${COMMENT}`);
const ONE_LINE = /^\[(.*)\][ \t]*(?:[ \t]#.*)?$/;
const NOTHING = /^(?:~|null)?[ \t]*(?:#.*)?$/;

/** A line `KEY: REST`; undefined for any other. */
export function parseKey(line: string): { readonly key: string; readonly rest: string } | undefined {
  const [, plain, double, single, rest = ''] = KEY.exec(line) ?? [];
  const key = plain ?? double ?? single;
  return key === undefined ? undefined : { key, rest };
}

/** Is a key left without a value on its line? */
export function isNothing(rest: string): boolean {
  return NOTHING.test(rest);
}

/** Reads `version`, `digest` and `urls`, each written on its line; whatever else there is may be written as it likes. */
export function indexEntry(line: number): IndexEntry {
  const values = new Map<string, string>();
  const urls: string[] = [];
  let column: number | undefined;
  let key = '';
  let odd = false;

  const takeUrl = (match: RegExpExecArray | null): void => {
    const url = valueOf(match);
    if (url === undefined || url === '') odd = true;
    else urls.push(url);
  };
  const takeUrls = (rest: string): void => {
    const listed = ONE_LINE.exec(rest)?.[1];
    if (listed === undefined) odd ||= !isNothing(rest);
    else if (listed.trim() !== '') for (const url of listed.split(',')) takeUrl(SCALAR.exec(url.trim()));
  };
  const takeValue = (name: string, rest: string): void => {
    const value = valueOf(SCALAR.exec(rest));
    odd ||= value === undefined || values.has(name) || (name === 'version' && value === '');
    values.set(name, value ?? '');
  };
  const takeKey = (text: string): void => {
    const found = parseKey(text);
    odd ||= found === undefined;
    key = found?.key ?? '';
    if (key === 'version' || key === 'digest') takeValue(key, found?.rest ?? '');
    if (key === 'urls') takeUrls(found?.rest ?? '');
  };
  const take: IndexEntry['take'] = (at, isDash, text) => {
    column ??= at;
    if (at === column && !isDash) takeKey(text());
    else if (isDash && key === 'urls' && at >= column) takeUrl(LISTED.exec(text()));
  };
  const end: IndexEntry['end'] = () => {
    const version = values.get('version');
    if (odd || version === undefined) return odd ? 'odd' : undefined;
    return { version, digest: values.get('digest') ?? '', urls };
  };
  return { line, take, end };
}

/** Undefined for what is no scalar on one line; empty for none. */
function valueOf(match: RegExpExecArray | null): string | undefined {
  if (match === null) return undefined;
  const [, plain, single, double] = match;
  if (plain !== undefined) return plain === 'null' || plain === '~' ? '' : plain;
  if (double === undefined) return single ?? '';
  try {
    return JSON.parse(double) as string;
  } catch {
    return undefined;
  }
}
