import { closingQuote, hasDistinctKeys } from '../../oci/json-keys.ts';

/** What ends or nests a value of JSON. */
const STOP = /["{}[\],]/g;
const SPACE = /[ \t\r\n]*/y;

/**
 * The members of a JSON object, one after the other: of a hostile text no more is built at a time than one member is. White
 * space may stand around the object. Throws a `SyntaxError` where the text is something else, has a key twice, or has a
 * member of more than `limit` characters.
 */
export function* jsonMembers(text: string, limit: number): Generator<readonly [name: string, value: unknown]> {
  const names = new Set<string>();
  let at = behind(text, skipSpace(text, 0), '{');
  while (text[at] !== '}') {
    if (names.size > 0) at = behind(text, at, ',');
    const end = endOfString(text, at);
    const name = parsePart(text.slice(at, end), limit) as string;
    if (names.has(name)) throw new SyntaxError(`names ${name.slice(0, 80)} twice`);
    names.add(name);
    const start = behind(text, skipSpace(text, end), ':');
    at = endOfValue(text, start);
    yield [name, parsePart(text.slice(start, at), limit)];
  }
  if (skipSpace(text, at + 1) !== text.length) throw new SyntaxError('goes on behind its end');
}

function parsePart(part: string, limit: number): unknown {
  if (part.length > limit) throw new SyntaxError(`has a member of more than ${limit} characters`);
  const value: unknown = JSON.parse(part);
  if (hasDistinctKeys(part, value)) return value;
  throw new SyntaxError('names a key twice');
}

/** The place of the comma or brace behind a value. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  STOP.lastIndex = start;
  for (let stop = STOP.exec(text); stop !== null; stop = STOP.exec(text)) {
    const [found] = stop;
    if (found === '"') STOP.lastIndex = endOfString(text, stop.index);
    else if (depth === 0 && (found === ',' || found === '}')) return stop.index;
    else if (found === '{' || found === '[') depth++;
    else if (found !== ',') depth--;
  }
  throw new SyntaxError('ends inside a value');
}

function endOfString(text: string, opening: number): number {
  const end = text[opening] === '"' ? closingQuote(text, opening) : -1;
  if (end >= 0) return end + 1;
  throw new SyntaxError(`expected a string at ${opening}`);
}

/** The first place that is no white space behind a sign that must stand here. */
function behind(text: string, at: number, sign: string): number {
  if (text[at] === sign) return skipSpace(text, at + 1);
  throw new SyntaxError(`expected ${sign} at ${at}`);
}

function skipSpace(text: string, from: number): number {
  SPACE.lastIndex = from;
  SPACE.test(text);
  return SPACE.lastIndex;
}
