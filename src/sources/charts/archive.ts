import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { readTarGzip, unpackBudget } from '../../io/tar/gzip.ts';
import type { UnpackBudget } from '../../io/tar/gzip.ts';
import { oneBlock } from '../../store/blob-store.ts';
import type { Blocks } from '../../store/blob-store.ts';

/** What is looked at in a chart, packaged or not: the text of its metadata, and the packages in its `charts/`. */
export interface ChartContents {
  /** By name below the chart's top directory: those that `isChartMetadata` names. */
  readonly texts: ReadonlyMap<string, string>;
  /** By name likewise: `charts/NAME-VERSION.tgz`, also of charts that lie in `charts/` as directories. */
  readonly packed: ReadonlyMap<string, ChartContents>;
}

/** In bytes, unpacked: Helm loads no larger chart (helm, pkg/chart/loader/archive, MaxDecompressedChartSize). */
export const CHART_LIMIT = 100 * 1024 * 1024;
/** In bytes: more than any Chart.yaml has. */
export const METADATA_LIMIT = 1024 * 1024;
/** In bytes, of a package in `charts/`. Helm 3.18 loads no file of more than 5 MiB. */
export const PACKED_LIMIT = 20 * 1024 * 1024;
/** Charts in charts in charts: a package that holds itself would never end. */
const DEEPEST = 8;

/** `Chart.yaml` of a chart and of those in its `charts/`, what they have been locked to, and both for apiVersion v1. */
export function isChartMetadata(name: string): boolean {
  return /^(?:charts\/[^/]+\/)*(?:Chart\.(?:yaml|lock)|requirements\.(?:yaml|lock))$/.test(name);
}

/** Helm passes over what begins with a dot or an underscore. */
export function isPackedChart(name: string): boolean {
  return /^(?:charts\/[^/_.][^/]*\/)*charts\/[^/_.][^/]*\.tgz$/.test(name);
}

/**
 * Looks through a packaged chart, and those in it, once. Whatever its top directory is called is cut off, as Helm does.
 * @throws `upstream-invalid` for what is no gzipped tar, is damaged, holds links or names that lead out, has files beside
 * the top directory, or unpacks to more than Helm loads
 */
export async function readPackage(content: Blocks, subject: string): Promise<ChartContents> {
  try {
    return await read(content, subject, unpackBudget(CHART_LIMIT), DEEPEST);
  } catch (error) {
    // In the words of a medium, but this is an archive of somebody else's.
    if (error instanceof DrayError && error.code === 'content-damaged') throw invalid(error.message, error);
    throw error;
  }
}

async function read(content: Blocks, subject: string, budget: UnpackBudget, depth: number): Promise<ChartContents> {
  const texts = new Map<string, string>();
  const packed = new Map<string, ChartContents>();
  const want = (name: string, size: number): boolean =>
    size <= (isPackedChart(belowTop(name)) ? PACKED_LIMIT : isChartMetadata(belowTop(name)) ? METADATA_LIMIT : -1);
  for await (const { name, bytes } of readTarGzip(content, subject, { budget, want })) {
    const below = belowTop(name);
    if (below === '') throw invalid(`${printable(subject)}: holds ${printable(name)} outside its directory`);
    if (texts.has(below) || packed.has(below))
      throw invalid(`${printable(subject)}: holds ${printable(below)} more than once`);
    if (isChartMetadata(below)) texts.set(below, Buffer.from(demand(bytes, subject, below)).toString('utf8'));
    if (!isPackedChart(below)) continue;
    if (depth === 0) throw invalid(`${printable(subject)}: holds charts more than ${DEEPEST} levels deep`);
    const within = `${subject}/${below}`;
    packed.set(below, await read(oneBlock(demand(bytes, subject, below)), within, budget, depth - 1));
  }
  return { texts, packed };
}

function demand(bytes: Uint8Array | undefined, subject: string, name: string): Uint8Array {
  if (bytes !== undefined) return bytes;
  throw invalid(`${printable(subject)}: its ${printable(name)} is larger than Helm loads`);
}

function belowTop(name: string): string {
  return name.includes('/') ? name.slice(name.indexOf('/') + 1) : '';
}

function invalid(message: string, cause?: unknown): DrayError {
  return new DrayError('upstream-invalid', message, { hint: 'package it anew, or tell whoever publishes it', cause });
}
