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
 * @throws `content-damaged` for a damaged archive, `manifest-invalid` for one that is no chart
 */
export async function listArchive(path: string): Promise<ChartListing> {
  const names: string[] = [];
  const texts = new Map<string, string>();
  const want = (name: string, size: number): boolean => size <= METADATA_LIMIT && isChartMetadata(belowTop(name));
  for await (const { name, bytes } of readTarGzip(path, { limit: CHART_LIMIT, want })) {
    const below = belowTop(name);
    names.push(below);
    if (bytes === undefined) continue;
    if (texts.has(below))
      throw new DrayError('manifest-invalid', `${printable(path)}: holds ${printable(below)} twice`, { where: { file: path } });
    texts.set(below, Buffer.from(bytes).toString('utf8'));
  }
  return { names, texts };
}

function belowTop(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}
