/** Tars, byte by byte: also such as no tool writes. */
export interface TarItem {
  readonly name: string;
  readonly content?: Uint8Array | string;
  /** `0` file, `1` hard link, `2` symbolic link, `5` directory. */
  readonly type?: string;
  readonly link?: string;
}

/** A POSIX tar: every time is 0, so the same items give the same bytes. */
export function tar(items: readonly TarItem[]): Buffer {
  return Buffer.concat([...items.flatMap(entry), Buffer.alloc(1024)]);
}

export function filesToTar(files: ReadonlyMap<string, Uint8Array>): Buffer {
  return tar([...files].map(([name, content]) => ({ name, content })));
}

function entry({ name, content = '', type = '0', link = '' }: TarItem): readonly Buffer[] {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
}
