import { gzipStored } from '../../io/tar/gzip-stored.ts';
import { readTarGzip, unpackBudget } from '../../io/tar/gzip.ts';
import { writeTar } from '../../io/tar/write.ts';
import type { TarInput } from '../../io/tar/write.ts';
import type { Blocks } from '../../store/blob-store.ts';
import { CHART_LIMIT } from './archive.ts';

/** A file of a chart, by its name below the chart's top directory. Its content is asked for when its turn comes. */
export type ChartFile = TarInput;

/** The package of a chart's files, in the order given; the same files always give the same bytes. */
export function packageChart(chart: string, files: Iterable<ChartFile>): Blocks {
  return gzipStored(writeTar([...files].map(({ name, content }) => ({ name: `${chart}/${name}`, content }))));
}

/** A package with files added to it: a new one, written as `packageChart` writes, of what the first one holds. */
export function extendPackage(published: Blocks, subject: string, chart: string, added: readonly ChartFile[]): Blocks {
  const files = async function* (): AsyncGenerator<TarInput> {
    const rules = { budget: unpackBudget(CHART_LIMIT), want: () => true };
    for await (const { name, bytes = new Uint8Array() } of readTarGzip(published, subject, rules))
      yield { name: `${chart}${name.slice(name.indexOf('/'))}`, content: () => Promise.resolve(bytes) };
    for (const { name, content } of added) yield { name: `${chart}/${name}`, content };
  };
  return gzipStored(writeTar(files()));
}
