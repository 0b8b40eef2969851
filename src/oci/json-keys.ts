/** A string of JSON, and the colon behind it where it is a key. */
const STRING = /"(?:[^"\\]+|\\.)*"(\s*:)?/gs;
/** What readers in Go look for without regard to case. */
const KNOWN = ['mediaType', 'config', 'layers', 'manifests', 'subject', 'artifactType'];

/**
 * Do all readers find the same in this document? Not where an object has a key twice, of which some take the first and some
 * the last; nor where a key differs from a known one only in case, which Go takes for it.
 * @param value what `JSON.parse` made of the text
 */
export function isUnambiguous(text: string, value: Readonly<Record<string, unknown>>): boolean {
  let written = 0;
  for (const [, colon] of text.matchAll(STRING)) if (colon !== undefined) written++;
  const keys = Object.keys(value);
  const isOdd = (known: string): boolean =>
    keys.some((key) => key !== known && key.toLowerCase() === known.toLowerCase());
  return written === keysIn(value) && !KNOWN.some(isOdd);
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
