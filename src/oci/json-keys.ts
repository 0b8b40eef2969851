/** What readers in Go look for without regard to case. */
const KNOWN = ['mediaType', 'config', 'layers', 'manifests', 'subject', 'artifactType'];
const COLON = /\s*:/y;

/**
 * Do all readers find the same in this document? Not where an object has a key twice, of which some take the first and some
 * the last; nor where a key differs from a known one only in case, which Go takes for it.
 * @param value what `JSON.parse` made of the text
 */
export function isUnambiguous(text: string, value: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(value);
  const isOdd = (known: string): boolean =>
    keys.some((key) => key !== known && key.toLowerCase() === known.toLowerCase());
  return hasDistinctKeys(text, value) && !KNOWN.some(isOdd);
}

/** Has no object in this text a key twice? `value`: what `JSON.parse` made of it. */
export function hasDistinctKeys(text: string, value: unknown): boolean {
  return keysWritten(text) === keysIn(value);
}

/** Where a string of JSON ends: the place of its closing quote, given that of the opening one; -1 where it has none. */
export function closingQuote(text: string, opening: number): number {
  let end = text.indexOf('"', opening + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text[before] === '\\') before--;
  return (at - before) % 2 === 0;
}

/** How many strings of a JSON text stand before a colon. */
function keysWritten(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) {
    at = closingQuote(text, at);
    COLON.lastIndex = at + 1;
    if (COLON.test(text)) count++;
  }
  return count;
}

/** How many keys all objects in a value have. */
function keysIn(value: unknown): number {
  let count = 0;
  const left: unknown[] = [value];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const values: readonly unknown[] = Object.values(next);
    if (!Array.isArray(next)) count += values.length;
    for (const one of values) if (typeof one === 'object' && one !== null) left.push(one);
  }
  return count;
}
