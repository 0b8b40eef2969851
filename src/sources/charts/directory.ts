import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { isSafePath, printable } from '../../io/safe-path.ts';
import { walk } from '../../io/disk/walk.ts';
import type { FoundFile } from '../../io/disk/walk.ts';
import { CHART_LIMIT, METADATA_LIMIT, PACKED_LIMIT, isChartMetadata, isPackedChart, readPackage } from './archive.ts';
import type { ChartContents } from './archive.ts';
import type { ChartFile } from './package.ts';
import { parseHelmIgnore } from './helm-ignore.ts';

/** An unpacked chart: what its package will hold, `Chart.yaml` first, and what that says. */
export interface ChartDirectory {
  readonly files: readonly ChartFile[];
  readonly contents: ChartContents;
}

/**
 * Lists a chart's directory the way `helm package` does: less what its `.helmignore` names. Links are refused, because a
 * package that follows them is not the chart that was reviewed.
 * @throws `manifest-invalid`; `upstream-invalid` for a damaged package in its `charts/`
 */
export async function readDirectory(path: string, signal: AbortSignal): Promise<ChartDirectory> {
  const leaveOut = parseHelmIgnore(ignoreText(path), join(path, '.helmignore'));
  const files = await walk(path, { links: 'refused', leaveOut, signal });
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > CHART_LIMIT)
    throw invalid(`${printable(path)}: expected at most ${CHART_LIMIT} bytes, which is all Helm loads, found ${size}`);
  const unsafe = files.find(({ title }) => !isSafePath(title));
  if (unsafe !== undefined)
    throw invalid(`${printable(unsafe.path)}: cannot be unpacked on every system under this name`);
  const first = files.filter(({ title }) => title === 'Chart.yaml');
  const others = files.filter(({ title }) => title !== 'Chart.yaml');
  return {
    files: [...first, ...others].map(({ title, path }) => ({ name: title, content: () => readFile(path) })),
    contents: await contentsOf(files),
  };
}

async function contentsOf(files: readonly FoundFile[]): Promise<ChartContents> {
  const metadata = files.filter(({ title, size }) => isChartMetadata(title) && size <= METADATA_LIMIT);
  const packed = new Map<string, ChartContents>();
  for (const { title, path, size } of files.filter(({ title }) => isPackedChart(title))) {
    if (size > PACKED_LIMIT) throw invalid(`${printable(path)}: is larger than Helm loads`);
    packed.set(title, await readPackage(createReadStream(path), path));
  }
  return { texts: new Map(metadata.map(({ title, path }) => [title, readFileSync(path, 'utf8')])), packed };
}

function ignoreText(path: string): string {
  const file = join(path, '.helmignore');
  if (!existsSync(file)) return '';
  if (statSync(file).size > METADATA_LIMIT)
    throw invalid(`${printable(file)}: expected at most ${METADATA_LIMIT} bytes, found more`);
  return readFileSync(file, 'utf8');
}

function invalid(message: string): DrayError {
  return new DrayError('manifest-invalid', message);
}
