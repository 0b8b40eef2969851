import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { DrayError } from '../errors.ts';
import { readText } from '../io/bounded-text.ts';
import { printable } from '../io/safe-path.ts';
import { parseSite } from './parse-site.ts';
import type { Site } from './site.ts';

const LIMIT = 1024 * 1024;

/**
 * A site file as docs/site.md describes it, paths absolute and defaults filled in. It is refused where it lies on one of
 * `notBelow`: media must not say whom to trust.
 * @throws `site-invalid`; `not-supported` for keys that are known but not supported yet; with line and column
 */
export async function readSite(
  file: string,
  { notBelow = [] }: { readonly notBelow?: readonly string[] } = {},
): Promise<Site> {
  const hint = '`dray init --site` writes one to start from';
  const text = await readText(file, { limit: LIMIT, code: 'site-invalid', hint });
  for (const medium of notBelow) await refuseBelow(file, medium);
  return parseSite(text, file);
}

/** Both as they are and with links followed. */
async function refuseBelow(file: string, medium: string): Promise<void> {
  const [realFile, realMedium] = await Promise.all([real(file), real(medium)]);
  if (!isBelow(resolve(file), resolve(medium)) && !isBelow(realFile, realMedium)) return;
  const message = `${printable(file)}: expected the enclave's own site file, found one on a medium (${printable(medium)})`;
  throw new DrayError('site-invalid', message, {
    where: { file },
    hint: 'keep it where the media cannot change it, such as /etc/dray/site.yaml',
  });
}

function isBelow(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function real(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}
