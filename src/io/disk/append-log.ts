import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DrayError } from '../../errors.ts';
import { syncDirectory, temporaryBeside } from './atomic-write.ts';
import { onFile } from './file-error.ts';

/** A file of JSON lines that only grows. */
export interface AppendLog {
  /** One line for each value; durable, all of them, before it returns. */
  append(values: readonly unknown[]): void;
  /** Puts these lines in the place of all others, whole or not at all. */
  replace(values: readonly unknown[]): void;
  close(): void;
}

const NEWLINE = 0x0a;

/**
 * The lines of a log, in order; none where there is no file. What a crash tore off at the end is not there: a last line
 * without its end or, after a power loss, everything from the first zero byte on.
 * @throws `state-damaged` for any other line that is not JSON
 */
export function readLog(path: string): readonly unknown[] {
  return parse(path, readWhole(path)).values;
}

/** Opens a log for writing, made where it is not there, and cuts off what a crash tore. The caller holds a lock. */
export function openLog(path: string): { readonly lines: readonly unknown[]; readonly log: AppendLog } {
  const { values, end, unfinished } = parse(path, readWhole(path));
  let fd = openForAppending(path);
  let length = end;
  let broken: { readonly error: unknown } | undefined;
  truncateTo(path, fd, length);

  const append = (lines: readonly unknown[]): void => {
    if (broken !== undefined) throw broken.error;
    const bytes = encode(lines);
    try {
      writeAll(fd, bytes);
      fdatasyncSync(fd);
    } catch (error) {
      // A line half written would spoil the next one; after a failed sync nothing of this file can be relied on.
      broken = { error: onFile(path, error) };
      cutTo(fd, length);
      throw broken.error;
    }
    length += bytes.length;
  };

  if (unfinished !== undefined) append([unfinished]);
  return {
    lines: values,
    log: {
      append,
      replace: (lines) => {
        const bytes = encode(lines);
        writeAnew(path, bytes);
        closeSync(fd);
        fd = openForAppending(path);
        length = bytes.length;
      },
      close: () => closeSync(fd),
    },
  };
}

interface Parsed {
  readonly values: readonly unknown[];
  /** Bytes of the lines that have their end. */
  readonly end: number;
  /** A last value that is whole but for its line's end. */
  readonly unfinished?: unknown;
}

function parse(path: string, bytes: Buffer): Parsed {
  const zero = bytes.indexOf(0);
  const sound = zero === -1 ? bytes : bytes.subarray(0, zero);
  const values: unknown[] = [];
  let start = 0;
  for (let stop = sound.indexOf(NEWLINE); stop !== -1; stop = sound.indexOf(NEWLINE, start)) {
    const value = parseLine(sound.subarray(start, stop));
    if (value === undefined) throw damaged(path, values.length + 1);
    values.push(value);
    start = stop + 1;
  }
  const unfinished = zero === -1 ? parseLine(sound.subarray(start)) : undefined;
  return unfinished === undefined
    ? { values, end: start }
    : { values: [...values, unfinished], end: start, unfinished };
}

/** Only objects are written, so only objects are read: a torn `12` of `123` can never pass. */
function parseLine(line: Buffer): object | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

function openForAppending(path: string): number {
  const fd = openSync(path, 'a', 0o644);
  syncDirectory(dirname(path));
  return fd;
}

function writeAnew(path: string, bytes: Buffer): void {
  const temporary = temporaryBeside(path);
  const fd = openSync(temporary, 'wx', 0o644);
  try {
    writeAll(fd, bytes);
    fsyncSync(fd);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw onFile(path, error);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

function truncateTo(path: string, fd: number, length: number): void {
  try {
    ftruncateSync(fd, length);
  } catch (error) {
    throw onFile(path, error);
  }
}

function cutTo(fd: number, length: number): void {
  try {
    ftruncateSync(fd, length);
  } catch {
    // The write's own error is the one to tell; a torn end is read over.
  }
}

function encode(lines: readonly unknown[]): Buffer {
  return Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

function damaged(path: string, line: number): DrayError {
  return new DrayError('state-damaged', `${path}:${line}: expected a line of JSON, found something else`, {
    where: { file: path, line, column: 1 },
  });
}
