import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { eachLine } from '../../io/text-lines.ts';
import type { Blocks } from '../../store/blob-store.ts';
import { IndexLines } from './index-lines.ts';
import { isWebPage } from './provenance.ts';

/** What an index says of one version of a chart. */
export interface IndexedVersion {
  readonly version: string;
  /** As written: usually 64 hexadecimal digits, sometimes nothing. */
  readonly digest: string;
  /** As written: relative to the index or absolute. */
  readonly urls: readonly string[];
}

/**
 * The versions of a chart by its name, in the order of the index; undefined where there is no such chart.
 * @throws `upstream-invalid` where an entry of it cannot be read
 */
export type ChartIndex = (name: string) => readonly IndexedVersion[] | undefined;

/** In bytes. */
export const INDEX_LIMIT = 50 * 1024 * 1024;
/** In bytes: enough to tell what it is. */
const PROBE = 512;

/**
 * Reads the index of a chart repository (helm, pkg/repo/index.go), YAML as Helm writes it or JSON. A YAML parser would take
 * minutes and gigabytes for what may come here; of the YAML only the lines are read that matter, no alias is ever followed,
 * and an entry written in another way than tools write it is an error when its chart is asked for.
 * @throws `upstream-invalid` where it is no index, or larger than 50 MiB
 */
export async function readIndex(content: Blocks, subject: string, announced = 0): Promise<ChartIndex> {
  if (announced > INDEX_LIMIT) throw tooLarge(subject, announced);
  const probe: Buffer[] = [];
  const json: Buffer[] = [];
  const lines = new IndexLines((line, said) => invalid(`${subject}, line ${line}`, said));
  const watched = async function* (): Blocks {
    let size = 0;
    for await (const block of content) {
      size += block.length;
      if (size > INDEX_LIMIT) throw tooLarge(subject, 'more');
      if (size - block.length < PROBE) probe.push(Buffer.from(block.subarray(0, PROBE)));
      const first = Buffer.concat(probe);
      if (isWebPage(first)) throw invalid(subject, 'expected the index of a chart repository, found a web page');
      if (/^[\s\ufeff]*\{/.test(first.toString('utf8'))) json.push(Buffer.from(block));
      else yield block;
    }
  };
  await eachLine(watched(), (bytes, start, end) => lines.take(bytes, start, end));
  return json.length === 0 ? lines.end() : readJson(Buffer.concat(json), subject);
}

const text = z.string().nullish();
const JsonIndex = z.looseObject({
  apiVersion: z.string(),
  entries: z
    .record(
      z.string(),
      z.array(z.looseObject({ version: text, digest: text, urls: z.array(z.string()).nullish() })).nullish(),
    )
    .nullish(),
});

function readJson(bytes: Buffer, subject: string): ChartIndex {
  const parsed = JsonIndex.safeParse(parseJson(bytes, subject));
  if (!parsed.success) throw invalid(subject, 'expected the index of a chart repository, found other JSON');
  const entries = new Map(Object.entries(parsed.data.entries ?? {}));
  return (name) =>
    entries
      .get(name)
      ?.flatMap(({ version, digest, urls }) =>
        version == null ? [] : [{ version, digest: digest ?? '', urls: urls ?? [] }],
      );
}

function parseJson(bytes: Buffer, subject: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(subject, 'is neither YAML as Helm writes it nor JSON');
    throw error;
  }
}

function tooLarge(subject: string, found: number | string): DrayError {
  return invalid(subject, `expected an index of at most ${INDEX_LIMIT} bytes, found ${found}`);
}

function invalid(subject: string, said: string): DrayError {
  return new DrayError('upstream-invalid', `${printable(subject)}: ${said}`, {
    hint: 'is this the address of a chart repository? `helm repo add` takes the same one',
  });
}
