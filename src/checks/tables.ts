import { asDrayError } from '../errors.ts';
import type { Finding } from '../bundle/finding.ts';
import { runOf } from '../bundle/table.ts';
import type { Digest } from '../oci/digest.ts';
import type { Check } from './check.ts';

/** Every table is whole and in order, and the runs of each blob that is cut follow one another to its end. */
export const tablesCheck: Check = {
  name: 'tables',
  quick: true,
  run: async function* ({ bundle }): AsyncGenerator<Finding> {
    const ends = new Map<Digest, { end: number; size: number; volume: string }>();
    for (const volume of bundle.index.volumes) {
      const name = volume.pieces.file;
      try {
        for await (const piece of bundle.table(volume)) {
          if (piece.start === undefined) continue;
          const { digest, size, start, end } = runOf(piece);
          const before = ends.get(digest)?.end ?? 0;
          if (start !== before)
            yield broken(name, digest, `expected the run from byte ${before} on, found that from ${start}`);
          ends.set(digest, { end, size, volume: name });
        }
      } catch (error) {
        const { code, message, hint } = asDrayError(error);
        yield { severity: 'error', code, message, volume: name, hint };
      }
    }
    for (const [digest, { end, size, volume }] of ends)
      if (end !== size) yield broken(volume, digest, `expected runs up to byte ${size}, found them up to ${end}`);
  },
};

function broken(volume: string, blob: Digest, how: string): Finding {
  return {
    severity: 'error',
    code: 'bundle-invalid',
    message: `${volume}: ${blob}: ${how}`,
    volume,
    blob,
    hint: 'pack the bundle again: its tables contradict themselves',
  };
}
