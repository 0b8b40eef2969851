import { DrayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { printable } from './safe-path.ts';

/** A place in a text file. `line` and `column` count from 1; columns are UTF-16 code units, as editors count. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `FILE:LINE:COLUMN`, as editors and terminals know to follow it. */
export function formatPlace({ file, line, column }: Place): string {
  return `${printable(file)}:${line}:${column}`;
}

/** An error that begins with its place and has it in `where`. */
export function errorAt(place: Place, code: ErrorCode, message: string, hint?: string): DrayError {
  const { file, line, column } = place;
  const where = { file, line, column };
  return new DrayError(code, `${formatPlace(place)}: ${message}`, { where, ...(hint === undefined ? {} : { hint }) });
}
