import type { DrayError, Where } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { excerptOf } from './excerpt.ts';
import type { Page } from './page.ts';

/** An error as people read it: what, where, and what to do. With `verbose` also where in the code, cause by cause. */
export function formatFailure(error: DrayError, page: Page, verbose: boolean): string {
  const place = formatWhere(error.where, error.message);
  return [
    page.red('dray:'),
    ...messageLines(error, page),
    place === '' ? '' : `  at ${place}\n`,
    error.places.length > 1 ? '' : excerptOf(error.where, page),
    error.hint === '' ? '' : `${page.bold('hint:')} ${safe(error.hint)}\n`,
    verbose ? traceOf(error) : '',
  ].join('');
}

/** Of several lines each with the place that it is about. */
function messageLines({ message, places }: DrayError, page: Page): readonly string[] {
  const lines = message.split('\n').map(printable);
  if (places.length < 2) return [` ${lines.join('\n  ')}\n`];
  const excerpts = places.map((place) => excerptOf(place, page));
  // What one place lacks is said line by line, and shown once.
  const below = (at: number): string => (excerpts[at] === excerpts[at + 1] ? '' : (excerpts[at] ?? ''));
  return lines.map((line, at) => `${at === 0 ? ' ' : '  '}${line}\n${below(at)}`);
}

/** `dray.yaml:12:5`, `medium retriever-42-2of3, volume retriever-42.v0002.tar`; less the position that `said` has already. */
export function formatWhere({ file, line, column, medium, volume, artifact, target }: Where, said = ''): string {
  const position = [file, line, column].filter((part) => part !== undefined).join(':');
  const named = Object.entries({ medium, volume, artifact, target }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  );
  return printable([said.includes(position) ? '' : position, ...named].filter((part) => part !== '').join(', '));
}

/** Only a line break of our own may stay one, and what follows it is indented: no text from outside can look like a line of ours. */
function safe(text: string): string {
  return text.split('\n').map(printable).join('\n  ');
}

function traceOf(error: Error): string {
  const lines = (error.stack ?? '').split('\n').slice(1).map(printable);
  const own = lines.length === 0 ? '' : `${lines.join('\n')}\n`;
  if (!(error.cause instanceof Error)) return own;
  return `${own}caused by ${printable(error.cause.name)}: ${safe(error.cause.message)}\n${traceOf(error.cause)}`;
}
