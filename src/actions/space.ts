import type { Context } from '../context.ts';
import { roomsFor, shortage } from '../io/disk/disk-space.ts';
import type { Demand } from '../io/disk/disk-space.ts';

/** What one file system must take of what a verb is about to write, and what it has, in bytes; null where it does not say. */
export interface Space {
  readonly paths: readonly string[];
  readonly needed: number;
  readonly free: number | null;
}

/**
 * Tells, before the first byte, what is needed and what there is, a line for each file system.
 * @throws `no-room` where that is less
 */
export async function tellSpace(
  demands: readonly Demand[],
  { report }: Pick<Context, 'report'>,
): Promise<readonly Space[]> {
  const rooms = await roomsFor(demands);
  const spaces = rooms.map(({ paths, needed, free }) => ({ paths, needed, free: free === Infinity ? null : free }));
  for (const space of spaces) report({ type: 'space', ...space });
  for (const room of rooms) {
    const short = shortage(room);
    if (short !== undefined) throw short;
  }
  return spaces;
}
