import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onFile } from '../io/disk/file-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobWriter, Content, Remembered, Stated } from './blob-store.ts';
import { receiveStated, resumable } from './receive-stated.ts';

/** What a name of upstream's came to when it was received. */
type Pinned = Required<Remembered>['blob'];

/** Makes a complete file a blob. `synced`: it is on the disk already. */
export type Keep = (digest: Digest, temporary: string, synced: boolean) => Promise<void>;

/** What a store lends. */
export interface PinSettings {
  /** The directory in which what is under way is gathered. */
  readonly partial: string;
  readonly holds: (blob: Pinned) => boolean;
  readonly keep: Keep;
  /** Ends what is read again of what an earlier run left. */
  readonly signal: AbortSignal;
}

/** The store's memory of content that upstream states no SHA-256 of, and its way to take that in. */
export interface Pins {
  readonly pin: BlobWriter['pin'];
  readonly remembered: BlobWriter['remembered'];
}

/** Records are lines of JSON, appended; the last one of a name counts, and a torn last line is nothing. */
export function openPins(recordFile: string, { partial, holds, keep, signal }: PinSettings): Pins {
  let read: Map<string, Pinned> | undefined;
  const underway = new Map<string, Promise<Pinned>>();
  const pins = (): Map<string, Pinned> => (read ??= readRecords(recordFile));
  const pathOf = (name: string): string =>
    join(partial, `pin-${createHash('sha256').update(name).digest('hex').slice(0, 40)}`);
  const held = (name: string): Pinned | undefined => {
    const found = pins().get(name);
    return found !== undefined && holds(found) ? found : undefined;
  };
  const receive = async (stated: Stated, content: Content): Promise<Pinned> => {
    const temporary = pathOf(stated.name);
    const { digest, isSynced } = await receiveStated(stated, content, { path: temporary, signal });
    await keep(digest, temporary, isSynced);
    const pinned = { digest, size: stated.size };
    pins().set(stated.name, pinned);
    append(recordFile, `${JSON.stringify({ name: stated.name, ...pinned })}\n`);
    return pinned;
  };
  const begin = (stated: Stated, content: Content): Promise<Pinned> => {
    const begun = receive(stated, content).finally(() => underway.delete(stated.name));
    underway.set(stated.name, begun);
    return begun;
  };
  return {
    pin: async (stated, content, mediaType): Promise<Descriptor> => {
      const { name } = stated;
      return { mediaType, ...(held(name) ?? (await (underway.get(name) ?? begin(stated, content)))) };
    },
    remembered: (name) => {
      const blob = held(name);
      return Promise.resolve(blob === undefined ? { partial: resumable({}, pathOf(name)) } : { blob, partial: 0 });
    },
  };
}

function append(path: string, line: string): void {
  try {
    appendFileSync(path, line);
  } catch (error) {
    throw onFile(path, error);
  }
}

function readRecords(file: string): Map<string, Pinned> {
  const pins = new Map<string, Pinned>();
  for (const line of linesOf(file)) {
    try {
      const { name, digest, size } = JSON.parse(line) as Record<string, unknown>;
      if (typeof name === 'string' && isDigest(digest) && Number.isSafeInteger(size))
        pins.set(name, { digest, size: size as number });
    } catch {
      // A line torn by a crash, or the empty one after the last: the content is received again.
    }
  }
  return pins;
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
