import type { Digest } from '../../oci/digest.ts';

/** A hash that somebody stated of a file. SHA-256 names the file here; the longer ones are checked while it is streamed. */
export interface Hash {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512';
  /** In lower case. */
  readonly hex: string;
}

const LENGTHS = { sha256: 64, sha384: 96, sha512: 128 } as const;

/**
 * The hashes of a list of `ALGORITHM:HEX` that are good enough to pin by. Others beside them say nothing.
 * @throws what `refuse` makes of it, where there are none but weak ones, or one that is no hash
 */
export function hashesIn(stated: readonly string[], refuse: (said: string) => Error): readonly Hash[] {
  const strong: Hash[] = [];
  const weak: string[] = [];
  for (const text of stated) {
    const [, algorithm = '', digits = ''] = /^([a-z0-9_]+)[:=](.*)$/i.exec(text) ?? [];
    const name = algorithm.toLowerCase();
    const hex = digits.toLowerCase();
    if (!isStrong(name)) weak.push(name || 'no algorithm');
    else if (hex.length !== LENGTHS[name] || !/^[0-9a-f]+$/.test(hex))
      throw refuse(`expected ${LENGTHS[name]} hexadecimal digits behind ${name}`);
    else strong.push({ algorithm: name, hex });
  }
  if (strong.length === 0 && weak.length > 0)
    throw refuse(
      `expected a hash by sha256, sha384 or sha512, found only ${[...new Set(weak)].join(', ')}, which can be forged`,
    );
  return strong;
}

function isStrong(name: string): name is Hash['algorithm'] {
  return name in LENGTHS;
}

/** The SHA-256 among them, as digests. */
export function digestsOf(hashes: readonly Hash[]): readonly Digest[] {
  return hashes.flatMap(({ algorithm, hex }) => (algorithm === 'sha256' ? [`sha256:${hex}` as const] : []));
}
