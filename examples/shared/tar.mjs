/** The part of tar that archives of files and directories need (POSIX ustar, names of at most 100 bytes). */

/**
 * @param {readonly {name: string, content?: Uint8Array, mode?: number}[]} entries those without content are directories
 * @returns {Buffer} the same bytes for the same entries: no times, no owners
 */
export function tar(entries) {
  return Buffer.concat([...entries.flatMap(entry), Buffer.alloc(1024)]);
}

function entry({ name, content, mode = content === undefined ? 0o755 : 0o644 }) {
  const size = content?.length ?? 0;
  const header = Buffer.alloc(512);
  if (Buffer.byteLength(name) > 100) throw new Error(`${name}: is too long`);
  header.write(name, 0);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(0, 11), 136);
  header.write(' '.repeat(8), 148); // the checksum counts as spaces while it is computed
  header.write(content === undefined ? '5' : '0', 156);
  header.write('ustar\x0000', 257);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return [header, content ?? Buffer.alloc(0), Buffer.alloc(-size & 511)];
}

function octal(number, digits) {
  return number.toString(8).padStart(digits, '0');
}
