import { readFileSync, readdirSync, rmSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { TEMPORARY_PREFIX, atomicWrite } from '../../io/disk/atomic-write.ts';
import { printable } from '../../io/safe-path.ts';
import { CONTAINERD_NAME, OCI_INDEX, REF_NAME } from '../../oci/media-types.ts';
import { STAGING } from './held-directory.ts';
import { lookAt } from './seen-file.ts';

/** An entry of `index.json`, with whatever else stands there: others may use other digests, and keys of their own. */
export type LayoutEntry = Readonly<Record<string, unknown>>;

/** The `index.json` of an OCI layout (image-spec, image-layout.md), which others write as well. */
export interface LayoutIndex {
  /** As it stands now: read again whenever the file was changed. @throws `target-failed` where it cannot be right */
  entries(): readonly LayoutEntry[];
  /** Makes the directory a layout, where it is not one yet. */
  create(): Promise<void>;
  /** Replaces the entries, whole or not at all; what else the file says stays. */
  write(entries: readonly LayoutEntry[]): Promise<void>;
}

interface Loaded {
  readonly content: Readonly<Record<string, unknown>>;
  readonly entries: readonly LayoutEntry[];
}

/** Others may have put much there; a file that is larger than this is no index. */
const INDEX_LIMIT = 64 * 1024 * 1024;
const MARKER_LIMIT = 4096;
const VERSION = '1.0.0';
const EMPTY_INDEX = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };

/**
 * The caller holds the directory: what a killed run left half written is swept away.
 * @throws `target-failed` where the directory is neither an OCI layout of version 1.0.0 nor empty
 */
export function openLayoutIndex(root: string): LayoutIndex {
  for (const name of readdirSync(root)) if (name.startsWith(TEMPORARY_PREFIX)) rmSync(join(root, name));
  const marker = join(root, 'oci-layout');
  const path = join(root, 'index.json');
  checkMarker(root, marker);
  let loaded: Loaded | undefined;
  let seen: BigIntStats | undefined;

  const load = (): Loaded => {
    const stats = lookAt(path);
    if (loaded !== undefined && isSame(seen, stats)) return loaded;
    const content = stats === undefined ? EMPTY_INDEX : readObject(path, INDEX_LIMIT);
    loaded = { content, entries: entriesOf(content, path) };
    seen = stats;
    return loaded;
  };

  return {
    entries: () => load().entries,
    create: async () => {
      if (lookAt(marker) === undefined) await atomicWrite(marker, JSON.stringify({ imageLayoutVersion: VERSION }));
      if (lookAt(path) === undefined) await atomicWrite(path, JSON.stringify(EMPTY_INDEX));
    },
    write: (entries) => atomicWrite(path, JSON.stringify({ ...load().content, manifests: entries })),
  };
}

/** The names an entry goes by: those that stock tools look at. */
export function namesOf({ annotations }: LayoutEntry): readonly string[] {
  if (!isObject(annotations)) return [];
  return [annotations[REF_NAME], annotations[CONTAINERD_NAME]].filter((name) => typeof name === 'string');
}

function checkMarker(root: string, marker: string): void {
  if (lookAt(marker) !== undefined) {
    const { imageLayoutVersion: version } = readObject(marker, MARKER_LIMIT);
    if (version !== VERSION)
      throw refused(marker, `expected imageLayoutVersion ${VERSION}, found ${JSON.stringify(version)}`);
    return;
  }
  const foreign = readdirSync(root).find((name) => name !== STAGING && name !== 'lost+found');
  if (foreign !== undefined)
    throw refused(root, `expected an OCI layout or an empty directory, found ${printable(foreign)} and no oci-layout`);
}

function entriesOf(content: Readonly<Record<string, unknown>>, path: string): readonly LayoutEntry[] {
  const entries = content['manifests'];
  if (Array.isArray(entries) && entries.every(isObject)) return entries;
  throw refused(path, 'expected a list of descriptors under manifests, found something else');
}

function readObject(path: string, limit: number): Readonly<Record<string, unknown>> {
  const size = lookAt(path);
  if (size?.isFile() !== true) throw refused(path, 'expected a file, found something else');
  if (size.size > limit) throw refused(path, `expected at most ${limit} bytes, found ${size.size}`);
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw refused(path, 'expected a JSON object, found something else');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSame(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return one?.ino === other?.ino && one?.mtimeNs === other?.mtimeNs && one?.size === other?.size;
}

function refused(path: string, reason: string): DrayError {
  return new DrayError('target-failed', `${printable(path)}: ${reason}`, {
    hint: 'name another directory in the site file, or mend this one',
    where: { file: path },
  });
}
