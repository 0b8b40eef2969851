import { DrayError } from '../errors.ts';

/**
 * The tar of a volume, as far as there is something to decide: regular files in POSIX ustar headers with every field
 * fixed but name and size (mode 0644, owner 0, time 0), so that headers, padding and trailer follow from the table
 * alone. Content longer than 11 octal digits can say gets a pax header with the one record `size` (POSIX.1-2017, pax,
 * "ustar Interchange Format" and "pax Extended Header").
 */

export const TAR_BLOCK = 512;
/** Two blocks of zeros end a tar. */
export const TRAILER = 2 * TAR_BLOCK;
const LARGEST_OCTAL = 0o77777777777;

/** Bytes of all headers before a content of this size. */
export function headerSize(size: number): number {
  return size > LARGEST_OCTAL ? 3 * TAR_BLOCK : TAR_BLOCK;
}

/** Bytes of zeros behind a content of this size. */
export function paddingSize(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** What an entry of this size takes in the tar. */
export function entrySize(size: number): number {
  return headerSize(size) + size + paddingSize(size);
}

/** All headers of one regular file. */
export function tarHeader(path: string, size: number): Buffer {
  if (size <= LARGEST_OCTAL) return header(path, size, '0');
  const record = paxRecord('size', String(size));
  const padding = Buffer.alloc(paddingSize(record.length));
  return Buffer.concat([
    header(`PaxHeaders/${path.slice(-64)}`, record.length, 'x'),
    record,
    padding,
    header(path, 0, '0'),
  ]);
}

function header(path: string, size: number, type: '0' | 'x'): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  if (Buffer.byteLength(path) > 100) throw new DrayError('internal', `${path}: too long for a tar header`);
  block.write(path, 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  const guess = rest.length + String(rest.length).length;
  const length = rest.length + String(guess).length;
  return Buffer.from(`${length}${rest}`);
}
