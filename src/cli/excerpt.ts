import { readFileSync, statSync } from 'node:fs';
import type { Where } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { widthOf } from './page.ts';
import type { Page } from './page.ts';

/** A lock may be as large as this; nothing larger is read for the sake of a message. */
const LARGEST = 64 * 1024 * 1024;
const WIDEST = 120;

/** The line of a file that an error speaks of, and a caret below the place; empty where there is none to show. */
export function excerptOf({ file, line, column }: Where, page: Page): string {
  if (file === undefined || line === undefined || column === undefined) return '';
  const text = lineOf(file, line);
  if (text === undefined || text.trim() === '' || column > text.length + 1) return '';
  const margin = `  ${line} │ `;
  const { shown, before } = windowOf(text, column - 1, Math.min(page.width, WIDEST) - margin.length);
  const below = `${' '.repeat(margin.length - 2)}│ ${' '.repeat(before)}`;
  return `${page.dim(margin)}${shown}\n${page.dim(below)}${page.red('^')}\n`;
}

/** Undefined where it cannot be had at once: a pipe gives a text only once. */
function lineOf(file: string, line: number): string | undefined {
  try {
    const found = statSync(file);
    if (!found.isFile() || found.size > LARGEST) return undefined;
    return readFileSync(file, 'utf8').split('\n')[line - 1]?.replace(/\r$/, '');
  } catch {
    return undefined;
  }
}

/** As much of a line as fits, and how many columns stand before the caret. Without what a terminal would act on, and without logins. */
function windowOf(text: string, at: number, width: number): { readonly shown: string; readonly before: number } {
  const safe = masked(text)
    .replaceAll('\t', ' ')
    .replace(/\P{Cn}/gu, (character) => (printable(character) === character ? character : '·'));
  const start = safe.length <= width ? 0 : Math.max(0, Math.min(at - Math.floor(width / 2), safe.length - width));
  const shown = safe.slice(start, start + Math.max(width, 10));
  return { shown: shown.trimEnd(), before: widthOf(shown.slice(0, at - start)) };
}

/** `https://me:secret@host` with as many stars as there were letters. */
function masked(text: string): string {
  return text.replace(/\/\/[^/\s@'"]*@/g, (login) => `//${'*'.repeat(login.length - 3)}@`);
}
