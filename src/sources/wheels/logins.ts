import { resolve } from 'node:path';
import { DrayError } from '../../errors.ts';
import { readRequirements, requirementsFormat } from '../../manifest/requirements.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { SourceEnvironment } from '../source.ts';
import { addressOf } from './indexes.ts';
import type { IndexAddress } from './indexes.ts';
import { pipSettings } from './pip-settings.ts';
import { readWritten } from './written.ts';
import type { IndexOptions } from './written.ts';

/**
 * The indexes of a lock, each with the login that pip's settings, or the requirements files where they still are, have for the same
 * address: the lock has none.
 */
export async function knownLogins(locked: LockedArtifact, env: SourceEnvironment): Promise<readonly IndexAddress[]> {
  const { indexes = [] } = locked;
  if (indexes.length === 0) return [];
  const options = [await pipSettings(env.environment), ...(await ofFiles(locked, env))];
  const addresses = options.flatMap(({ index, extra, findLinks }) => [
    ...(index === undefined ? [] : [index]),
    ...extra,
    ...findLinks,
  ]);
  const known = new Map(
    addresses
      .filter((url) => URL.canParse(url))
      .map(addressOf)
      .map((address) => [address.url, address]),
  );
  return indexes.map((url) => known.get(url) ?? addressOf(url));
}

/** A lock is fetched also where its requirements files are no more. */
async function ofFiles(
  { asked }: LockedArtifact,
  { directory, environment }: SourceEnvironment,
): Promise<readonly IndexOptions[]> {
  const paths = Array.isArray(asked['requirements'])
    ? asked['requirements'].filter((path) => typeof path === 'string')
    : [];
  const wanted = paths
    .filter((file) => requirementsFormat(file) === 'requirements')
    .map((file) => ({ path: resolve(directory, file), file, place: { file, line: 1, column: 1 } }));
  try {
    const requirements = await readRequirements(wanted, (path) => path);
    return requirements.named.map((file) => readWritten(file, requirements, environment).options);
  } catch (error) {
    if (error instanceof DrayError) return [];
    throw error;
  }
}
