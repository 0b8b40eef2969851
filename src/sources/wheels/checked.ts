import { createHash } from 'node:crypto';
import type { RemoteFile } from '../../registry/network.ts';
import type { Blocks } from '../../store/blob-store.ts';
import { moved } from '../remote-content.ts';
import type { Hash } from './hashes.ts';

/**
 * A file's content, which ends with `upstream-moved` where it has none of the hashes that are wanted (none wanted: any content is right), or another
 * size than the server said.
 */
export async function* checked({ content, size }: RemoteFile, hashes: readonly Hash[], subject: string): Blocks {
  const running = new Map(
    [...new Set(hashes.map(({ algorithm }) => algorithm))].map((name) => [name, createHash(name)]),
  );
  let received = 0;
  for await (const block of content(0)) {
    received += block.length;
    for (const hash of running.values()) hash.update(block);
    yield block;
  }
  if (size !== undefined && received !== size) throw moved(subject, `expected ${size} bytes, found ${received}`);
  const found = new Map([...running].map(([name, hash]) => [name, hash.digest('hex')]));
  if (hashes.length > 0 && !hashes.some(({ algorithm, hex }) => found.get(algorithm) === hex))
    throw moved(
      subject,
      `has none of the hashes that are wanted, found ${[...found].map(([name, hex]) => `${name}:${hex}`).join(', ')}`,
    );
}
