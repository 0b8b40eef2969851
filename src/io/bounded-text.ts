import { open } from 'node:fs/promises';
import { DrayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { printable } from './safe-path.ts';

export interface TextLimits {
  /** In bytes. */
  readonly limit: number;
  readonly code: ErrorCode;
  /** What to do where there is no such file. */
  readonly hint?: string;
}

/**
 * A whole text file, never more of it than the limit.
 * @throws the given code where it is missing, a directory, too large or not UTF-8
 */
export async function readText(file: string, { limit, code, hint }: TextLimits): Promise<string> {
  const refuse = (said: string, more: object = {}): never => {
    throw new DrayError(code, `${printable(file)}: ${said}`, { where: { file }, ...more });
  };
  const bytes = await readUpTo(file, limit + 1).catch((error: unknown) => {
    const { code: errno } = error as NodeJS.ErrnoException;
    const helped = { cause: error, ...(hint === undefined ? {} : { hint }) };
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return refuse('there is no such file', helped);
    if (errno === 'EISDIR') return refuse('expected a file, found a directory', { cause: error });
    throw error;
  });
  if (bytes.length > limit) return refuse(`expected at most ${limit} bytes, found more`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return refuse('expected text in UTF-8, found other bytes', { cause: error });
  }
}

/** Pipes have no size, and files grow: it is read until it ends. */
async function readUpTo(file: string, most: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const parts: Buffer[] = [];
    for (let left = most; left > 0;) {
      const part = Buffer.alloc(Math.min(left, 256 * 1024));
      const { bytesRead } = await handle.read(part, 0, part.length, null);
      if (bytesRead === 0) break;
      parts.push(part.subarray(0, bytesRead));
      left -= bytesRead;
    }
    return Buffer.concat(parts);
  } finally {
    await handle.close();
  }
}
