import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';

/** The file of a version that names the BLAKE3 of the others. */
export const CHECKSUMS = 'checksums.blake3';

/** In bytes: some three hundred thousand files. */
export const CHECKSUMS_LIMIT = 64 * 1024 * 1024;

const LINE = /^([0-9a-fA-F]{64}) [ *](?:\.\/)?(.+)$/;

/**
 * BLAKE3 by path: lines of 64 hexadecimal digits, two blanks (or a blank and a star) and a path, as `b3sum` writes them.
 * @throws `upstream-invalid`
 */
export function parseChecksums(bytes: Uint8Array, subject: string): ReadonlyMap<string, string> {
  const sums = new Map<string, string>();
  const lines = Buffer.from(bytes).toString('utf8').split(/\r?\n/);
  for (const [place, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const [, hex = '', path = ''] = LINE.exec(line) ?? [];
    const refuse = (said: string): never => {
      throw new DrayError('upstream-invalid', `${subject}: line ${place + 1} of ${CHECKSUMS}: ${said}`);
    };
    if (path === '') refuse(`expected a BLAKE3 and a path, found ${JSON.stringify(printable(line.slice(0, 100)))}`);
    const known = sums.get(path);
    if (known !== undefined && known !== hex.toLowerCase()) refuse(`${printable(path)} has two of them`);
    sums.set(path, hex.toLowerCase());
  }
  return sums;
}
