import type { Digest } from '../oci/digest.ts';
import type { ByteRange } from '../store/blob-store.ts';

/** All that staging needs to know of a blob. */
export interface Blob {
  readonly digest: Digest;
  readonly size: number;
}

/** Which bytes of something are there: runs in order, none touching the next. */
export type Runs = readonly ByteRange[];

export function addRun(runs: Runs, added: ByteRange): Runs {
  const sorted = [...runs, added].sort((a, b) => a.start - b.start);
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

export function coversRun(runs: Runs, { start, end }: ByteRange): boolean {
  return runs.some((run) => run.start <= start && end <= run.end);
}

export function lengthOf(runs: Runs): number {
  return runs.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Runs out of a journal; undefined where the value is not that. */
export function parseRuns(value: unknown): Runs | undefined {
  if (!Array.isArray(value) || !value.every(isRun)) return undefined;
  return value.reduce<Runs>(addRun, []);
}

function isRun(value: unknown): value is ByteRange {
  if (typeof value !== 'object' || value === null) return false;
  const { start, end } = value as Partial<Record<keyof ByteRange, unknown>>;
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= Number(start) && Number(start) < Number(end);
}
