import { printable } from '../io/safe-path.ts';
import type { Output } from './io.ts';

/** What text is laid out for. A file or a pipe has no width: nothing is cut there. */
export interface Page {
  readonly width: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
}

export interface Cell {
  readonly text: string;
  readonly right?: boolean;
  /** May be cut in its middle where the page is too narrow. */
  readonly flexible?: boolean;
  readonly style?: (text: string) => string;
}

const GAP = '  ';
const NARROWEST = 12;

export function pageOf(output: Output, colour: boolean): Page {
  const terminal = output.isTTY === true;
  const style = (code: number) => (text: string) => (terminal && colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const width = terminal ? Math.max(40, output.columns || 80) : Number.POSITIVE_INFINITY;
  return { width, bold: style(1), dim: style(2), red: style(31), yellow: style(33) };
}

/** Rows in aligned columns, one line each, without trailing spaces. Every text is made safe for the terminal here. */
export function table(page: Page, rows: readonly (readonly Cell[])[]): string {
  const safe = rows.map((row) => row.map((cell) => ({ ...cell, text: printable(cell.text) })));
  const widths = columnsOf(safe, page.width);
  return safe.map((row) => lineOf(row, widths)).join('');
}

export interface Margin {
  /** What stands before the first line; may be styled. */
  readonly first: string;
  /** How many columns that takes, and every further line is indented by. */
  readonly width: number;
}

/** Text in lines that fit the page, broken at spaces; a word that does not fit stays whole. Made safe for the terminal here. */
export function wrapped({ width }: Page, text: string, margin: Margin): string {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width - margin.width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one, at) => `${at === 0 ? margin.first : ' '.repeat(margin.width)}${one}\n`).join('');
}

/** Cuts the middle out: both ends of a name tell more than its middle. */
export function shorten(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const characters = Array.from(text);
  const head = fitting(characters, Math.floor((width - 1) / 2));
  const tail = fitting(characters.toReversed(), width - 1 - widthOf(head.join(''))).reverse();
  return [...head, '…', ...tail].join('');
}

/** As many characters from the first on as fit. */
function fitting(characters: readonly string[], width: number): string[] {
  let used = 0;
  const end = characters.findIndex((character) => (used += columnsFor(character)) > width);
  return characters.slice(0, end === -1 ? characters.length : end);
}

/** Powers of 1,000, one decimal: `999 B`, `1.2 GB`. */
export function sizeOf(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (unit < units.length - 1 && (unit === 0 ? value >= 1000 : value >= 999.95)) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** `1 artifact`, `7 artifacts`. */
export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Twelve digits of a digest, for people. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/** Indents every line that is not empty. */
export function indent(text: string, by = '  '): string {
  return text.replace(/^(?=.)/gm, by);
}

function columnsOf(rows: readonly (readonly Cell[])[], width: number): readonly number[] {
  const widths: number[] = [];
  const flexible = new Set<number>();
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell.text));
      if (cell.flexible === true) flexible.add(column);
    });
  let excess = widths.reduce((sum, column) => sum + column, 0) + GAP.length * (widths.length - 1) - width;
  for (; excess > 0; excess -= 1) {
    const widest = [...flexible].reduce((a, b) => ((widths[b] ?? 0) > (widths[a] ?? 0) ? b : a), -1);
    if ((widths[widest] ?? 0) <= NARROWEST) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function lineOf(row: readonly Cell[], widths: readonly number[]): string {
  const cells = row.map(({ text, right, flexible, style }, column) => {
    const width = widths[column] ?? 0;
    const shown = flexible === true ? shorten(text, width) : text;
    const space = ' '.repeat(Math.max(0, width - widthOf(shown)));
    const styled = style === undefined ? shown : style(shown);
    return right === true ? space + styled : styled + space;
  });
  return `${cells.join(GAP).trimEnd()}\n`;
}

/** Columns that a terminal gives to text: two for East Asian wide characters and emoji, none for marks that combine (UAX #11). */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  return Array.from(text).reduce((sum, character) => sum + columnsFor(character), 0);
}

function columnsFor(character: string): number {
  if (/[\p{Mn}\p{Me}\u200d]/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{20000}-\u{3fffd}]/u;
