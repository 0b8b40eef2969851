/**
 * One flat record as a line of YAML: `{digest: sha256:…, size: 12, title: "a, b"}`. A lock names as many blobs as there
 * are files, and a YAML parser takes sixty times as long for each: lines of this form, and of no other, are read here.
 */
export type Flat = Readonly<Record<string, string | number | true | undefined>>;

/** Words that no YAML, 1.1 or 1.2, reads as anything but text; everything else is quoted. */
const PLAIN = /^(?!(?:y|n|yes|no|on|off|true|false|null)$)[a-z][a-z0-9_.+/@-]*(?::[a-z0-9_.+/@-]+)*$/i;
const NUMBER = /^(?:0|[1-9][0-9]{0,15})$/;
/** What an eye would not see is escaped, as in yaml-text.ts. */
const UNSEEN = /[\u007f-\u009f\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]/g;
const PAIR = /([a-z]+): (?:([^",{}[\]\s]+)|("(?:[^"\\]|\\.)*"))(, |\}$)/giy;

export function formatLine(record: Flat): string {
  const pairs = Object.entries(record).filter(([, value]) => value !== undefined);
  return `{${pairs.map(([key, value]) => `${key}: ${formatValue(value ?? '')}`).join(', ')}}`;
}

/** Undefined for a line of another form, which YAML may still allow. */
export function parseLine(line: string): Flat | undefined {
  if (!line.startsWith('{')) return undefined;
  const record: Record<string, string | number | true> = {};
  PAIR.lastIndex = 1;
  for (let pair = PAIR.exec(line); pair !== null; pair = PAIR.exec(line)) {
    const [, key = '', plain, quoted = '', end] = pair;
    const value = plain === undefined ? unquote(quoted) : parsePlain(plain);
    if (value === undefined || Object.hasOwn(record, key) || key === '__proto__') return undefined;
    record[key] = value;
    if (end === '}') return record;
  }
  return undefined;
}

function formatValue(value: string | number | true): string {
  if (typeof value !== 'string' || PLAIN.test(value)) return String(value);
  return JSON.stringify(value).replace(
    UNSEEN,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function parsePlain(text: string): string | number | true | undefined {
  if (text === 'true') return true;
  if (NUMBER.test(text)) return Number(text);
  return PLAIN.test(text) ? text : undefined;
}

/** Text between double quotes; undefined where it is no JSON. */
export function unquote(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}
