import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { readTarGzip } from '../io/tar-gzip.ts';
import { METADATA_LIMIT, isChartMetadata } from './chart-metadata.ts';
import type { ChartListing } from './chart-metadata.ts';

/** In bytes, unpacked: Helm loads no larger chart (helm, pkg/chart/loader/archive, MaxDecompressedChartSize). */
export const CHART_LIMIT = 100 * 1024 * 1024;

/**
 * Looks through a packaged chart once, for its names and metadata. Whatever its top directory is called is cut off, as
 * Helm does.
 * @throws `upstream-invalid` for what is no gzipped tar, is damaged, or unpacks to more than Helm loads
 */
export async function listArchive(path: string): Promise<ChartListing> {
  const names: string[] = [];
  const texts = new Map<string, string>();
  const want = (name: string, size: number): boolean => size <= METADATA_LIMIT && isChartMetadata(belowTop(name));
  try {
    for await (const { name, bytes } of readTarGzip(path, { limit: CHART_LIMIT, want })) {
      const below = belowTop(name);
      if (texts.has(below)) throw invalid(`${printable(path)}: holds ${printable(below)} twice`);
      names.push(below);
      if (bytes !== undefined) texts.set(below, Buffer.from(bytes).toString('utf8'));
    }
  } catch (error) {
    // In the words of a medium, but this is an archive of somebody else's.
    if (error instanceof DrayError && error.code === 'content-damaged') throw invalid(error.message, error);
    throw error;
  }
  return { names, texts };
}

/** Helm refuses files beside the top directory. */
function belowTop(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

function invalid(message: string, cause?: unknown): DrayError {
  return new DrayError('upstream-invalid', message, { hint: 'get or package the chart again', cause });
}
