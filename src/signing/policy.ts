import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { shortOf } from '../oci/digest.ts';
import { readKeyFile, readTrustedKey } from './key-file.ts';
import type { Policy, TrustedKey } from './signing.ts';

/** A policy as it is written: key files, and how many of them must have signed. */
export interface PolicyFiles {
  /** Public keys, PEM. */
  readonly keyFiles: readonly string[];
  /** Distinct keys that must have signed; 1 where nothing is said. */
  readonly threshold?: number;
  /** A higher threshold where a bundle holds this kind. */
  readonly require?: Readonly<Record<string, number>>;
  /** Public keys that never count, PEM. */
  readonly revoked?: readonly string[];
  /** The site file all this was read from; without it, it came from the command line. */
  readonly siteFile?: string;
}

/**
 * Reads the keys of a policy. The same key in two files is one key, and a revoked one is none.
 * @throws `key-invalid` for a file that cannot be read · `site-invalid` or `usage` for a threshold that no bundle could reach
 */
export async function loadPolicy(files: PolicyFiles): Promise<Policy> {
  const { keyFiles, threshold = 1, require = {}, revoked = [] } = files;
  const [given, gone] = await Promise.all([readKeys(keyFiles), readKeys(revoked)]);
  const keys = distinct(given).filter(({ keyId }) => !gone.some((key) => key.keyId === keyId));
  const policy = { keys, threshold, require, revoked: distinct(gone) };
  checkReachable(policy, files);
  return policy;
}

/** A key as people are told of it: its file and the first twelve digits of its id. */
export function describeKey({ file, keyId }: TrustedKey): string {
  return `${printable(file)} (id ${shortOf(keyId)})`;
}

function readKeys(files: readonly string[]): Promise<TrustedKey[]> {
  return Promise.all(files.map(async (file) => readTrustedKey(await readKeyFile(file), file)));
}

function distinct(keys: readonly TrustedKey[]): readonly TrustedKey[] {
  return keys.filter(({ keyId }, index) => keys.findIndex((key) => key.keyId === keyId) === index);
}

function checkReachable({ keys, threshold, require }: Policy, { keyFiles, siteFile }: PolicyFiles): void {
  const asked = [
    { name: 'threshold', count: threshold },
    ...Object.entries(require).map(([kind, count]) => ({ name: `require.${kind}`, count })),
  ];
  for (const { name, count } of asked) {
    const spread = `${keyFiles.length} key file${keyFiles.length === 1 ? '' : 's'}, ${keys.length} distinct and not revoked`;
    if (!Number.isSafeInteger(count) || count < 1)
      refuse(`${printable(name)}: expected a whole number of at least 1, found ${count}`, siteFile);
    if (count > keys.length)
      refuse(
        `${printable(name)}: expected as many trusted keys as signatures are demanded (${count}), found ${spread}`,
        siteFile,
      );
  }
}

function refuse(message: string, siteFile: string | undefined): never {
  if (siteFile === undefined)
    throw new DrayError('usage', message, {
      hint: 'give one `--key PUB` for each person who must have signed, or a lower `--threshold`',
    });
  throw new DrayError('site-invalid', `trust: ${message}`, {
    where: { file: siteFile },
    hint: 'add keys to `trust.keys`, or lower the number',
  });
}
