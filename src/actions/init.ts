import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DrayError } from '../errors.ts';
import { createFile } from '../io/disk/create-file.ts';
import { printable } from '../io/safe-path.ts';

export interface InitOptions {
  /** Absolute; its directory is made where it is missing. */
  readonly file: string;
  readonly what: 'manifest' | 'site';
}

export interface InitResult {
  readonly written: string;
}

/** Writes a commented manifest or site file to start from. @throws `usage` where the file is there already */
export async function init({ file, what }: InitOptions): Promise<InitResult> {
  const text = await templateOf(what);
  await mkdir(dirname(file), { recursive: true });
  if (await createFile(file, text)) return { written: file };
  throw new DrayError('usage', `${printable(file)}: exists already, and is not overwritten`, {
    where: { file },
    hint: 'edit it, or name another directory',
  });
}

async function templateOf(what: InitOptions['what']): Promise<string> {
  if (what === 'site') return (await import('../site/template.ts')).SITE_TEMPLATE;
  return (await import('../manifest/template.ts')).MANIFEST_TEMPLATE;
}
