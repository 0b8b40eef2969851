import type { BundleVolume } from '../../bundle/bundle-index.ts';
import type { OpenBundle } from '../../bundle/reader.ts';
import { runOf } from '../../bundle/table.ts';
import type { Need } from '../../targets/target.ts';
import type { LoadRun } from './run.ts';

/**
 * Does a volume hold anything that a target still needs, sooner or later or `now`? Its table is on every medium, so it need not
 * be here.
 */
export async function isNeeded(run: LoadRun, bundle: OpenBundle, volume: BundleVolume, now = false): Promise<boolean> {
  const pending = run.pending().filter(({ planned }) => planned.artifact.volumes.includes(volume.number));
  if (pending.some(({ delivery }) => delivery === undefined)) return true;
  if (pending.length === 0) return false;
  for await (const piece of bundle.table(volume)) {
    if (piece.entry !== undefined || piece.document !== undefined) continue;
    const { digest, size, start, end } = runOf(piece);
    const users = run.uses.get(digest)?.filter(({ state }) => state === 'pending') ?? [];
    for (const { target } of new Set(users.map((delivering) => delivering.target)))
      if (isWanted(await target.needs({ mediaType: '', digest, size }, { start, end }), now)) return true;
  }
  return false;
}

function isWanted(need: Need, now: boolean): boolean {
  return need === 'yes' || (need === 'not-yet' && !now);
}
