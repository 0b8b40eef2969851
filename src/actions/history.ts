import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BundleIndex } from '../bundle/bundle-index.ts';
import { bundleLabel } from '../bundle/names.ts';
import { atomicWrite } from '../io/disk/atomic-write.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';

/** Every bundle packed here: its index as `NAME-SEQ.json`, and its tables, by which a volume can be made again. */

export interface KeptBundle {
  readonly index: BundleIndex;
  readonly digest: Digest;
}

/** The kept bundles of a name, lowest number first. What cannot be read is not a bundle. */
export function keptBundles(directory: string, name: string): readonly KeptBundle[] {
  return list(directory)
    .filter((file) => file.startsWith(`${name}-`) && file.endsWith('.json'))
    .flatMap((file) => {
      const bytes = readFileSync(join(directory, file));
      try {
        return [{ index: BundleIndex.parse(JSON.parse(bytes.toString('utf8'))), digest: digestOf(bytes) }];
      } catch {
        return [];
      }
    })
    .filter(({ index }) => index.name === name)
    .sort((a, b) => a.index.sequence - b.index.sequence);
}

/** Keeps a packed bundle: tables first, so that an index is never without them. */
export async function keepBundle(
  directory: string,
  index: BundleIndex,
  bytes: Uint8Array,
  tables: ReadonlyMap<number, Uint8Array>,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  for (const { number, pieces } of index.volumes)
    await atomicWrite(join(directory, pieces.file), tables.get(number) ?? new Uint8Array());
  await atomicWrite(join(directory, `${bundleLabel(index)}.json`), bytes);
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
