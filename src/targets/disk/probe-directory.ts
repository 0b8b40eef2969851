import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import { describeSpace, diskSpace } from '../../io/disk/disk-space.ts';
import { refuseHeld } from '../../io/disk/lock-file.ts';
import { printable } from '../../io/safe-path.ts';
import { tryWriting } from '../../io/disk/try-writing.ts';
import { STAGING } from './held-directory.ts';
import type { Probed } from '../target.ts';

/** Is a directory free, and can files be made and renamed in it? One that is not there yet is not made. */
export async function probeDirectory(directory: string): Promise<Probed> {
  if (existsSync(directory) && !statSync(directory).isDirectory())
    throw new DrayError('target-failed', `${printable(directory)}: expected a directory, found a file`, {
      where: { file: directory },
      hint: 'name another directory in the site file, or move what is there away',
    });
  refuseHeld(join(directory, STAGING, 'lock'), printable(directory));
  const place = tryWriting(directory);
  const space = await diskSpace(place);
  const will = place === directory ? '' : `; will be made in ${printable(place)}`;
  return { message: `${describeSpace(space)}${will}`, warnings: space.type === 'vfat' ? [SMALL_FILES] : [] };
}

const SMALL_FILES = {
  message: 'FAT holds no file of 4 GiB or more',
  hint: 'use another file system where models or images are larger',
};
