/** One place of a pattern: any run of characters, any one, or one of some. */
type Part = 'run' | ((character: string) => boolean);

/**
 * Matches whole texts against a pattern as Python's `fnmatch.fnmatchcase` does (Lib/fnmatch.py): `*` is any run of characters,
 * slashes included, `?` any one, `[…]` one of these, `[!…]` one of the others; nothing can be escaped. A character is a code
 * point. No pattern takes longer than its length times that of the text.
 */
export function fnmatch(pattern: string): (text: string) => boolean {
  const parts = parse(Array.from(pattern));
  return (text) => matches(parts, Array.from(text));
}

function parse(pattern: readonly string[]): readonly Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? '';
    const end = character === '[' ? endOfSet(pattern, at) : undefined;
    if (character === '*') parts.push('run');
    else if (character === '?') parts.push(() => true);
    else if (end === undefined) parts.push((found) => found === character);
    else {
      parts.push(parseSet(pattern.slice(at + 1, end)));
      at = end;
    }
  }
  return parts;
}

/** Where the bracket closes; directly behind the opening one, or behind `!`, it is a character like others. */
function endOfSet(pattern: readonly string[], start: number): number | undefined {
  const first = pattern[start + 1] === '!' ? start + 2 : start + 1;
  const end = pattern.indexOf(']', first + (pattern[first] === ']' ? 1 : 0));
  return end < 0 ? undefined : end;
}

function parseSet(set: readonly string[]): (character: string) => boolean {
  const chunks = chunksOf(set);
  const isNegated = chunks[0]?.[0] === '!';
  if (isNegated) chunks[0]?.shift();
  const single = new Set(chunks.flat());
  const ranges = chunks.slice(1).map((chunk, i) => [codeOf(chunks[i]?.at(-1)), codeOf(chunk[0])] as const);
  const has = (character: string): boolean =>
    single.has(character) ||
    ranges.some(([from, to]) => from !== undefined && to !== undefined && isWithin(character, from, to));
  return (character) => has(character) !== isNegated;
}

/** What stands between the hyphens that make a range of their neighbours. An empty range goes, with both of its ends. */
function chunksOf(set: readonly string[]): string[][] {
  const chunks: string[][] = [];
  let start = 0;
  for (let hyphen = set.indexOf('-', set[0] === '!' ? 2 : 1); hyphen >= 0; hyphen = set.indexOf('-', hyphen + 3)) {
    chunks.push(set.slice(start, hyphen));
    start = hyphen + 1;
  }
  const rest = set.slice(start);
  if (rest.length > 0 || chunks.length === 0) chunks.push([...rest]);
  else chunks.at(-1)?.push('-');
  for (let k = chunks.length - 1; k > 0; k--) {
    const [before = [], after = []] = [chunks[k - 1], chunks[k]];
    if ((codeOf(before.at(-1)) ?? 0) > (codeOf(after[0]) ?? 0))
      chunks.splice(k - 1, 2, [...before.slice(0, -1), ...after.slice(1)]);
  }
  return chunks;
}

function codeOf(character: string | undefined): number | undefined {
  return character?.codePointAt(0);
}

function isWithin(character: string, from: number, to: number): boolean {
  const code = codeOf(character) ?? -1;
  return from <= code && code <= to;
}

/** Goes back to the last run only: what an earlier one would take, the last can take as well. */
function matches(parts: readonly Part[], text: readonly string[]): boolean {
  let [part, at] = [0, 0];
  let run: { readonly part: number; at: number } | undefined;
  while (at < text.length) {
    const current = parts[part];
    if (current === 'run') {
      run = { part: ++part, at };
    } else if (current?.(text[at] ?? '') === true) {
      part++;
      at++;
    } else if (run !== undefined) {
      ({ part } = run);
      at = ++run.at;
    } else {
      return false;
    }
  }
  return parts.slice(part).every((left) => left === 'run');
}
