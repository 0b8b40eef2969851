import * as z from 'zod';
import { DrayError } from '../errors.ts';
import { parseYaml } from '../io/yaml/yaml.ts';
import { parseLine, unquote } from './lock-lines.ts';

/**
 * The part of YAML that a lock is written in: mappings and lists in blocks, one scalar or one flat record a line. A YAML
 * parser takes fifty times as long; what is read here it reads just so, and everything else is left to it.
 */

/** What a lock's text says, before a schema has looked at it. */
type Value = Scalar | readonly Value[] | { readonly [key: string]: Value | undefined };
type Scalar = string | number | boolean | null;

/** Twice as many levels as a lock has. */
const DEEPEST = 16;

const KEY = /^([a-z][\w-]{0,63}):(?: (.+))?$/i;
/** Text that needs no quotes and begins like nothing else. */
const PLAIN = /^(?=[a-z0-9/])(?:[\w.+/@=%&?,()~-]|[: ](?=[\w.+/@=%&?,()~-]))+$/i;
const QUOTED = /^"(?:[^"\\]|\\.)*"$/;
const WHOLE = /^(?:0|[1-9][0-9]{0,14})$/;
/** What YAML 1.2 reads as a number, a truth value or nothing. */
const SPECIAL = /^(?:0o[0-7]+|0x[0-9a-f]+|[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?|true|false|null)$/i;
/** Aliases, anchors and tags are for nobody here, and a block scalar ends on another line. */
const REACHES_FURTHER = /^[*&!|>]/;

/** Undefined for any other text. */
export function parseBlock(text: string): Value | undefined {
  const reader = new BlockReader(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')));
  const value = reader.block(0, 0);
  return reader.isAtEnd ? value : undefined;
}

class BlockReader {
  private readonly lines: string[];
  private at = 0;

  constructor(lines: string[]) {
    this.lines = lines;
  }

  get isAtEnd(): boolean {
    return this.at === this.lines.length;
  }

  /** The list or mapping whose lines are indented by so much. */
  block(indent: number, depth: number): Value | undefined {
    if (depth === DEEPEST) return undefined;
    return this.behind(indent)?.startsWith('- ') === true ? this.list(indent, depth) : this.mapping(indent, depth);
  }

  private list(indent: number, depth: number): Value | undefined {
    const items: Value[] = [];
    for (let line = this.behind(indent); line?.startsWith('- ') === true; line = this.behind(indent)) {
      const item = this.item(line.slice(2), indent + 2, depth);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }

  /** On the line of its dash a list or mapping begins as if the dash were space. */
  private item(written: string, indent: number, depth: number): Value | undefined {
    if (KEY.test(written) || written.startsWith('- ')) {
      this.lines[this.at] = ' '.repeat(indent) + written;
      return this.block(indent, depth + 1);
    }
    this.at++;
    return written.startsWith('{') ? (parseLine(written) ?? oneLine(written)) : scalar(written);
  }

  private mapping(indent: number, depth: number): Value | undefined {
    const pairs: Record<string, Value> = {};
    for (let line = this.behind(indent); line !== undefined; line = this.behind(indent)) {
      const [, key = '', written] = KEY.exec(line) ?? [];
      if (key === '' || SPECIAL.test(key) || Object.hasOwn(pairs, key)) return undefined;
      this.at++;
      const value = written === undefined ? this.deeper(indent, depth) : scalar(written);
      if (value === undefined) return undefined;
      pairs[key] = value;
    }
    return Object.keys(pairs).length === 0 ? undefined : pairs;
  }

  private deeper(indent: number, depth: number): Value | undefined {
    const found = this.indent();
    return found > indent ? this.block(found, depth + 1) : undefined;
  }

  /** What stands behind the indent of the next line; undefined where it is indented otherwise, or there is none. */
  private behind(indent: number): string | undefined {
    return this.indent() === indent ? this.lines[this.at]?.slice(indent) : undefined;
  }

  private indent(): number {
    const line = this.lines[this.at];
    return line === undefined ? -1 : line.length - line.trimStart().length;
  }
}

function scalar(written: string): Value | undefined {
  if (written === '[]') return [];
  if (WHOLE.test(written)) return Number(written);
  if (QUOTED.test(written)) return unquote(written);
  return PLAIN.test(written) && !SPECIAL.test(written) ? written : oneLine(written);
}

/** A value that does not reach beyond its line, by YAML itself: what is seldom takes its time. */
function oneLine(written: string): Value | undefined {
  if (REACHES_FURTHER.test(written)) return undefined;
  try {
    const options = { file: '', schema: z.tuple([z.json()]), code: 'lock-invalid', scalars: 'typed' } as const;
    const [value] = parseYaml(`- ${written}`, options);
    return typeof value !== 'object' || value === null || /^[[{]/.test(written) ? value : undefined;
  } catch (error) {
    if (error instanceof DrayError) return undefined;
    throw error;
  }
}
