import { posix } from 'node:path';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { isUnambiguous } from '../../oci/json-keys.ts';
import { entryInvalid } from '../pinned.ts';

/** Index of weights in several files (transformers, `SAFE_WEIGHTS_INDEX_NAME`, `WEIGHTS_INDEX_NAME`); variants and diffusers' too. */
const SAFETENSORS = /\.safetensors\.index\.json$/;
const INDEX = /\.(?:safetensors|bin)\.index\.json$/;

/** The names of files, as far as this is about them. */
interface Names {
  readonly carried: ReadonlySet<string>;
  /** Those at the commit, whatever is carried of them. */
  readonly all: ReadonlySet<string>;
}

export function isShardIndex(path: string): boolean {
  return INDEX.test(path);
}

/**
 * Are all files there that an index of weights names? One of pickled weights may name none that is carried, where the same
 * directory has safetensors: those are what is loaded.
 * @throws `manifest-invalid` where a filter left one out, `upstream-invalid` where there is none, or the index cannot be read
 */
export function checkShards(entry: Entry, index: string, bytes: Uint8Array, { carried, all }: Names): void {
  const directory = posix.dirname(index);
  const shards = shardsOf(index, bytes).map((shard) => posix.join(directory, shard));
  const absent = shards.filter((shard) => !carried.has(shard));
  const [first = ''] = absent;
  if (absent.length === 0 || (absent.length === shards.length && isOther(index, carried))) return;
  const some = absent.length === 1 ? printable(first) : `${printable(first)} and ${absent.length - 1} more`;
  const said = `${printable(index)} names ${shards.length} files of weights`;
  if (absent.some((shard) => !all.has(shard)))
    throw new DrayError('upstream-invalid', `${said}, and there is no ${some} at this commit`);
  throw entryInvalid(
    entry,
    `${said}, and include or exclude leaves out ${some}`,
    'take those files as well, or leave out the index with them',
  );
}

function isOther(index: string, carried: ReadonlySet<string>): boolean {
  const directory = posix.dirname(index);
  const hasSafetensors = (path: string): boolean => path.endsWith('.safetensors') && posix.dirname(path) === directory;
  return !SAFETENSORS.test(index) && [...carried].some(hasSafetensors);
}

/** The files in `weight_map`, each once. */
function shardsOf(index: string, bytes: Uint8Array): readonly string[] {
  const text = Buffer.from(bytes).toString();
  const value = parse(text);
  const map = isObject(value) ? value['weight_map'] : undefined;
  const names = isObject(map) ? Object.values(map) : [];
  if (!isObject(value) || !isUnambiguous(text, value) || !names.every((name) => typeof name === 'string'))
    throw new DrayError(
      'upstream-invalid',
      `${printable(index)}: expected JSON with each key once and files under weight_map, found something else`,
    );
  return [...new Set(names)].sort();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
