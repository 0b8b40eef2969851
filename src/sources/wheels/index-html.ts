/** The links of an HTML page, by their attributes, and what its head says. */
export interface HtmlLinks {
  readonly links: readonly ReadonlyMap<string, string>[];
  /** `<base href>` */
  readonly base: string | undefined;
  /** `<meta name="pypi:repository-version">` */
  readonly version: string | undefined;
}

const ATTRIBUTE = /([a-z][a-z0-9:-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/gi;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
/** In characters: a tag that goes on for longer is not closed, and what follows is nobody's to guess. */
const LONGEST_TAG = 16 * 1024;

/**
 * Reads what a package index needs of HTML (PEP 503): tags with attributes. Whatever else a page has is nothing to it, and a
 * comment hides what is in it. Takes one pass, whatever the page is.
 */
export function readLinks(html: string): HtmlLinks {
  const links: ReadonlyMap<string, string>[] = [];
  let base: string | undefined;
  let version: string | undefined;
  for (const tag of tagsIn(html)) {
    const [, name = '', written = ''] = /^(a|base|meta)\s([^]*)$/i.exec(tag) ?? [];
    const attributes = attributesOf(written);
    if (name.toLowerCase() === 'a') links.push(attributes);
    else if (name.toLowerCase() === 'base') base ??= attributes.get('href');
    else if (attributes.get('name') === 'pypi:repository-version') version = attributes.get('content');
  }
  return { links, base, version };
}

/** What stands between `<` and `>`, comments aside. */
function* tagsIn(html: string): Generator<string> {
  for (let start = html.indexOf('<'); start >= 0; start = html.indexOf('<', start)) {
    const isComment = html.startsWith('<!--', start);
    const end = isComment ? html.indexOf('-->', start) : endOfTag(html, start + 1);
    if (end < 0) return;
    if (!isComment) yield html.slice(start + 1, end);
    start = end + 1;
  }
}

/** The next `>` that is in no quotes; -1 where there is none near. */
function endOfTag(html: string, from: number): number {
  let quote = '';
  for (let at = from; at < Math.min(html.length, from + LONGEST_TAG); at++) {
    const character = html.charAt(at);
    if (quote !== '') quote = character === quote ? '' : quote;
    else if (character === '>') return at;
    else if (character === '"' || character === "'") quote = character;
  }
  return -1;
}

/** Names in lower case; the first of two counts, as in a browser. */
function attributesOf(written: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', double, single, bare] of written.matchAll(ATTRIBUTE)) {
    const key = name.toLowerCase();
    if (!found.has(key)) found.set(key, decode(double ?? single ?? bare ?? ''));
  }
  return found;
}

function decode(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi,
    (written, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? written;
      const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : written;
    },
  );
}
