import { open } from 'node:fs/promises';
import { printable } from '../safe-path.ts';
import { TAR_BLOCK, readHeader } from './header.ts';
import { damagedTar, tarNames, typeOf } from './names.ts';

/** An ordinary file inside a tar: where its bytes lie in the tar, and how many. */
export interface TarFile {
  readonly offset: number;
  readonly size: number;
}

/** The table of a tar: which files it has and where. */
export interface TarTable {
  /** Names of its ordinary files, without a leading `./`. */
  readonly names: readonly string[];
  /** A file by its name, as `TarNames` finds it. @throws `content-damaged` */
  file(name: string): TarFile | undefined;
}

/**
 * Reads the table of a tar that somebody else wrote (POSIX and GNU): headers only, content is passed over, nothing is
 * ever unpacked.
 * @throws `content-damaged` where it is cut short or is no tar, or a name leads out of it
 */
export async function readTarTable(path: string): Promise<TarTable> {
  const file = await open(path);
  try {
    const { size: whole } = await file.stat();
    const names = tarNames<TarFile>(path);
    for (let position = 0; ;) {
      const found = await readHeader(async () => {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(TAR_BLOCK), 0, TAR_BLOCK, position);
        position += bytesRead;
        return buffer.subarray(0, bytesRead);
      }, path);
      if (found === undefined) return { names: names.files, file: (name) => names.find(name) };
      const { header } = found;
      const { size } = header;
      if (position + size > whole) throw damagedTar(path, `ends within ${printable(header.name)}`);
      names.add(header, { offset: position, size });
      position += typeOf(header) === 'directory' ? 0 : Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
    }
  } finally {
    await file.close();
  }
}
