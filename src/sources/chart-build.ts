import { existsSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DrayError } from '../errors.ts';
import { gzipStored } from '../io/gzip-stored.ts';
import { isSafePath, printable } from '../io/safe-path.ts';
import { writeTar } from '../io/tar-write.ts';
import { walk } from '../io/walk.ts';
import type { FoundFile } from '../io/walk.ts';
import type { Blocks } from '../store/blob-store.ts';
import { CHART_LIMIT } from './chart-archive.ts';
import { METADATA_LIMIT, isChartMetadata } from './chart-metadata.ts';
import type { ChartListing } from './chart-metadata.ts';
import { parseHelmIgnore } from './helm-ignore.ts';

/** An unpacked chart: what its package will hold. */
export interface ChartDirectory extends ChartListing {
  readonly files: readonly FoundFile[];
}

/**
 * Lists a chart's directory the way `helm package` does: less what its `.helmignore` names. Links are refused, because a
 * package that follows them is not the chart that was reviewed.
 * @throws `manifest-invalid`
 */
export async function listDirectory(path: string, signal: AbortSignal): Promise<ChartDirectory> {
  const leaveOut = parseHelmIgnore(ignoreText(path), join(path, '.helmignore'));
  const files = await walk(path, { links: 'refused', leaveOut, signal });
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > CHART_LIMIT)
    throw new DrayError(
      'manifest-invalid',
      `${printable(path)}: expected at most ${CHART_LIMIT} bytes, which is all Helm loads, found ${size}`,
    );
  const unsafe = files.find(({ title }) => !isSafePath(title));
  if (unsafe !== undefined)
    throw new DrayError(
      'manifest-invalid',
      `${printable(unsafe.path)}: cannot be unpacked on every system under this name`,
    );
  const metadata = files.filter(({ title, size }) => isChartMetadata(title) && size <= METADATA_LIMIT);
  return {
    files,
    names: files.map(({ title }) => title),
    texts: new Map(metadata.map((file) => [file.title, readFileSync(file.path, 'utf8')])),
  };
}

/** The package of a chart: Chart.yaml first, then the others in order of path; the same files always give the same bytes. */
export function packageChart(name: string, { files }: ChartDirectory): Blocks {
  const first = files.filter(({ title }) => title === 'Chart.yaml');
  const others = files.filter(({ title }) => title !== 'Chart.yaml');
  return gzipStored(
    writeTar(
      [...first, ...others].map(({ title, path }) => ({ name: `${name}/${title}`, content: () => readFile(path) })),
    ),
  );
}

function ignoreText(path: string): string {
  const file = join(path, '.helmignore');
  if (!existsSync(file)) return '';
  if (statSync(file).size > METADATA_LIMIT)
    throw new DrayError('manifest-invalid', `${printable(file)}: expected at most ${METADATA_LIMIT} bytes, found more`);
  return readFileSync(file, 'utf8');
}
