import type { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { indexEntry, isNothing, parseKey } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import type { ChartIndex, IndexedVersion } from './index.ts';

/** More versions than any repository has. */
const MOST = 1_000_000;
const SPACE = 0x20;
const HASH = 0x23;
const DASH = 0x2d;
const TAB = 0x09;
const FORM = 'is written in another form than tools write an index in';

/**
 * Reads an index.yaml line by line, by indentation alone: in YAML's block style a line at the column of a mapping's keys is a
 * key, whatever stands in the texts between, and a dash at the column of a list begins an item of it.
 */
export class IndexLines {
  readonly #refuse: (line: number, said: string) => DrayError;
  readonly #charts = new Map<string, IndexedVersion[]>();
  /** Charts with something in them that cannot be read. */
  readonly #odd = new Map<string, DrayError>();
  #line = 0;
  #count = 0;
  #hasVersion = false;
  /** The key of the top level. */
  #section = '';
  #chart = '';
  /** Columns of the charts' names, and of the dashes below the current one. */
  #names: number | undefined;
  #dashes: number | undefined;
  #entry: IndexEntry | undefined;

  constructor(refuse: (line: number, said: string) => DrayError) {
    this.#refuse = refuse;
  }

  /** One line: bytes from `start` to `end`. @throws as `refuse` says */
  take(bytes: Buffer, start: number, end: number): void {
    this.#line += 1;
    const begin = this.#line === 1 && bytes[start] === 0xef ? start + 3 : start;
    let first = begin;
    while (first < end && bytes[first] === SPACE) first += 1;
    if (first >= end || bytes[first] === HASH) return;
    const column = first - begin;
    const isDash = bytes[first] === DASH && (first + 1 === end || bytes[first + 1] === SPACE);
    const text = (): string => bytes.toString('utf8', first, end);
    if (column === 0 && bytes[first] !== TAB && !(isDash && this.#section !== '')) this.#takeTop(text());
    else if (this.#section === 'entries') {
      if (bytes[first] === TAB) this.#takeTab(text());
      else this.#takeWithin(column, isDash, text);
    }
  }

  /** @throws as `refuse` says, where it was no index */
  end(): ChartIndex {
    this.#finish();
    if (!this.#hasVersion)
      throw this.#refuse(this.#line, 'expected the index of a chart repository, found no apiVersion');
    return (name) => {
      const error = this.#odd.get(name);
      if (error !== undefined) throw error;
      return this.#charts.get(name);
    };
  }

  #takeTop(text: string): void {
    this.#finish();
    const found = parseKey(text);
    if (found === undefined && /^(?:---\s*$|%)/.test(text) && this.#section === '') return;
    if (found === undefined)
      throw this.#refuse(this.#line, `expected the index of a chart repository, found ${printable(text.slice(0, 60))}`);
    this.#hasVersion ||= found.key === 'apiVersion';
    this.#section = found.key;
    this.#chart = '';
    const isElsewhere = found.key === 'entries' && !isNothing(found.rest) && !/^\{\}/.test(found.rest);
    if (isElsewhere) throw this.#refuse(this.#line, `entries: ${FORM}`);
  }

  #takeTab(text: string): void {
    if (text.trim() !== '') throw this.#refuse(this.#line, 'expected spaces at its beginning, found a tab');
  }

  #takeWithin(column: number, isDash: boolean, text: () => string): void {
    this.#names ??= column;
    if (column === this.#names && !isDash) return this.#takeName(text());
    if (this.#chart === '' || column < this.#names) throw this.#refuse(this.#line, FORM);
    this.#dashes ??= isDash ? column : undefined;
    if (isDash && column === this.#dashes) return this.#takeDash(column, text());
    if (this.#entry === undefined) this.#markOdd(this.#line);
    this.#entry?.take(column, isDash, text);
  }

  #takeName(text: string): void {
    this.#finish();
    const found = parseKey(text);
    if (found === undefined || found.key === '')
      throw this.#refuse(this.#line, `expected the name of a chart, found ${printable(text.slice(0, 60))}`);
    if (this.#charts.has(found.key))
      throw this.#refuse(this.#line, `the chart ${printable(found.key)} stands here twice`);
    this.#chart = found.key;
    this.#dashes = undefined;
    this.#charts.set(found.key, []);
    if (!isNothing(found.rest) && !/^\[\][ \t]*$/.test(found.rest)) this.#markOdd(this.#line);
  }

  #takeDash(column: number, text: string): void {
    this.#finish();
    if (++this.#count > MOST) throw this.#refuse(this.#line, `expected at most ${MOST} versions, found more`);
    this.#entry = indexEntry(this.#line);
    const ahead = /^-[ ]*/.exec(text)?.[0].length ?? 0;
    if (ahead < text.length) this.#entry.take(column + ahead, false, () => text.slice(ahead));
  }

  #finish(): void {
    const ended = this.#entry?.end();
    if (ended === 'odd') this.#markOdd(this.#entry?.line ?? 0);
    else if (ended !== undefined) this.#charts.get(this.#chart)?.push(ended);
    this.#entry = undefined;
  }

  #markOdd(line: number): void {
    this.#odd.set(this.#chart, this.#refuse(line, `${printable(this.#chart)}: ${FORM}`));
  }
}
