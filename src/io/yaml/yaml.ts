import { isAlias, isMap, isNode, isScalar, isSeq, visit } from 'yaml';
import type { Document, Node, YAMLMap } from 'yaml';
import type * as z from 'zod';
import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { errorAt } from '../place.ts';
import type { Place } from '../place.ts';
import { printable } from '../safe-path.ts';
import { composeYaml } from './document.ts';
import { expectation } from './expectation.ts';
import { problemsOf, refuse } from './problems.ts';
import type { Written } from './problems.ts';

export { stringifyYaml } from './text.ts';

export type Path = readonly PropertyKey[];

export interface YamlOptions<T> {
  /** For messages; nothing is read. */
  readonly file: string;
  readonly schema: z.ZodType<T>;
  readonly code: ErrorCode;
  /** In bytes; default 1 MiB. */
  readonly limit?: number;
  /**
   * `as-written` (default): every scalar reaches the schema as the string that was written (`25.10`, `true`, `007`), and
   * a value left empty as null; the pieces of yaml-pieces.ts make booleans and integers of them. `typed`: YAML 1.2's core
   * schema, for files that dray writes.
   */
  readonly scalars?: 'as-written' | 'typed';
  /** `refused` (default), or `bounded` for other people's files: aliases up to a hundred expansions, tags ignored. */
  readonly aliases?: 'refused' | 'bounded';
  /** Replaces text in values before the schema sees it, for variables; messages keep what was written. */
  readonly expand?: (text: string, place: Place) => string;
}

/** Where the value at a path was written; the nearest there is where that value was not written itself. */
export interface Positions {
  readonly at: (path: Path) => Place;
  /** The key instead of its value. */
  readonly keyAt: (path: Path) => Place;
}

const MIB = 1024 * 1024;

/**
 * One YAML document, by its schema. Duplicate keys, several documents, nested keys and (unless bounded) anchors, aliases,
 * merge keys and tags are refused.
 * @throws the given code, every problem of the text in one message, each as `FILE:LINE:COLUMN: what: expected, found`
 */
export function parseYaml<T>(text: string, options: YamlOptions<T>): T {
  return parseYamlWithPositions(text, options).value;
}

/** The same, and where things were written: for what a schema alone cannot decide. */
export function parseYamlWithPositions<T>(text: string, options: YamlOptions<T>): Positions & { readonly value: T } {
  const { file, code, schema, limit = MIB } = options;
  const bytes = Buffer.byteLength(text);
  if (bytes > limit)
    throw new DrayError(code, `${printable(file)}: expected at most ${limit} bytes, found ${bytes}`, {
      where: { file },
    });
  const { document, placeOf } = composeYaml(text, {
    file,
    code,
    scalars: options.scalars ?? 'as-written',
    merge: options.aliases === 'bounded',
  });
  settle(document, placeOf, options);
  const written = writtenIn(document, placeOf);
  const result = schema.safeParse(plain(document, options), { error: expectation });
  if (!result.success) refuse(problemsOf(result.error.issues, written), code);
  return { value: result.data, at: written.at, keyAt: written.keyAt };
}

/** Refuses what dray's files never need, marks values left empty, and expands variables. */
function settle<T>(document: Document, placeOf: (offset: number) => Place, options: YamlOptions<T>): void {
  const { code, expand } = options;
  const bounded = options.aliases === 'bounded';
  const stop = (node: Node, message: string): never => {
    throw errorAt(placeOf(startOf(node)), code, message);
  };
  const check = (key: unknown, node: Node): void => {
    if (isAlias(node) && !bounded) stop(node, 'expected the value itself, found an alias (*)');
    if (!isAlias(node) && node.anchor !== undefined && !bounded)
      stop(node, 'expected a plain value, found an anchor (&)');
    if (node.tag !== undefined && !bounded && options.scalars !== 'typed')
      stop(node, `expected no tag, found ${printable(node.tag)}`);
    if (isMap(node)) checkKeys(node, stop);
    if (!isScalar(node) || key === 'key' || options.scalars === 'typed') return;
    if (node.type === 'PLAIN' && node.source === '') node.value = null;
    else if (expand !== undefined && typeof node.value === 'string')
      node.value = expand(node.value, placeOf(startOf(node)));
  };
  visit(document, { Node: check });
}

function checkKeys(map: YAMLMap, stop: (node: Node, message: string) => never): void {
  const seen = new Set<string>();
  for (const { key } of map.items) {
    if (!isScalar(key)) stop(isNode(key) ? key : map, 'expected a simple key, found a list or a mapping');
    const name = String((key as { value: unknown }).value);
    if (seen.has(name)) stop(key as Node, `the key ${printable(name)} stands here twice`);
    seen.add(name);
  }
}

function plain<T>(document: Document, { file, code }: YamlOptions<T>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new DrayError(code, `${printable(file)}: ${printable(said)}`, { where: { file }, cause: error });
  }
}

function writtenIn(document: Document, placeOf: (offset: number) => Place): Written {
  const nodeAt = (path: Path): Node | undefined => path.reduce(childOf, document.contents ?? undefined);
  const at = (path: Path): Place => {
    const node = nodeAt(path);
    return node !== undefined ? placeOf(startOf(node)) : path.length === 0 ? placeOf(0) : at(path.slice(0, -1));
  };
  const keyAt = (path: Path): Place => {
    const parent = nodeAt(path.slice(0, -1));
    const key = isMap(parent)
      ? parent.items.map((item) => item.key).find((key) => isNamed(key, path.at(-1)))
      : undefined;
    return isNode(key) ? placeOf(startOf(key)) : at(path);
  };
  return { nodeAt, at, keyAt };
}

/** The first of a list without brackets is the value itself. */
function childOf(node: Node | undefined, part: PropertyKey): Node | undefined {
  if (isMap(node)) {
    const value = node.items.find(({ key }) => isNamed(key, part))?.value;
    if (isNode(value)) return value;
  }
  const found = isSeq(node) ? node.items[Number(part)] : part === 0 ? node : undefined;
  return isNode(found) ? found : undefined;
}

function isNamed(key: unknown, name: PropertyKey | undefined): boolean {
  return isScalar(key) && String(key.value) === name;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}
