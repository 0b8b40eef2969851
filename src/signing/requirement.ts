import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Kind } from '../oci/kinds.ts';
import { describeKey } from './policy.ts';
import type { RejectedSignature, SignatureCheck } from './signature-check.ts';
import type { Policy } from './signing.ts';

/** How many distinct keys must have signed a bundle that holds these kinds. */
export function neededSignatures({ threshold, require }: Policy, kinds: readonly Kind[]): number {
  return Math.max(1, threshold, ...kinds.map((kind) => demandFor(require, kind)));
}

/**
 * Ends here unless enough trusted keys signed. Ask once with no kinds before `bundle.json` is parsed, and again with its kinds.
 * @throws `not-signed`; the message says how many of how many, which files do not count and why, and whom this site trusts
 */
export function requirePolicy(result: SignatureCheck, policy: Policy, kinds: readonly Kind[]): void {
  const needed = neededSignatures(policy, kinds);
  if (result.accepted.length >= needed) return;
  const raising = kinds.filter((kind) => demandFor(policy.require, kind) === needed && needed > policy.threshold);
  const because = raising.length === 0 ? '' : ` (it holds ${raising.join(', ')})`;
  const rejected = result.rejected.map(({ name, reason }) => `${printable(name)}: ${reason}`);
  const parts = [
    `bundle.json: expected ${signatures(needed)}${because}, found ${foundIn(result, policy)}`,
    ...rejected,
    `trusted here: ${policy.keys.map(describeKey).join(', ') || 'no key'}`,
  ];
  throw new DrayError('not-signed', parts.join('; '), { hint: hintFor(result, needed) });
}

function demandFor(require: Policy['require'], kind: Kind): number {
  return Object.hasOwn(require, kind) ? (require[kind] ?? 0) : 0;
}

function signatures(needed: number): string {
  return needed === 1 ? 'a valid signature by a trusted key' : `valid signatures by ${needed} different trusted keys`;
}

function foundIn({ accepted, rejected }: SignatureCheck, { keys }: Policy): string {
  if (accepted.length + rejected.length === 0) return 'no signature file: the bundle is not signed';
  const names = keys.filter(({ keyId }) => accepted.some((signature) => signature.keyId === keyId)).map(describeKey);
  return `${accepted.length} valid${names.length === 0 ? '' : `, by ${names.join(' and ')}`}`;
}

/** The most telling cause first: damage can be mended by a copy, the others need a person. */
const HINTS: readonly (readonly [RejectedSignature['cause'], string])[] = [
  ['damaged', 'copy the signature file named again, from the connected side or from another medium of this bundle'],
  [
    'other-content',
    'bundle.json was changed after it was signed, or the signature belongs to another bundle: ask the connected side for both files again',
  ],
  ['revoked-key', 'have the bundle signed with a key that is still trusted: `dray sign`'],
  [
    'same-key',
    'two signatures with one key count as one: a second person signs with a key of their own, `dray sign --key`',
  ],
  [
    'foreign-key',
    'compare key ids with the sender by telephone before you trust a new key; a key that came with the bundle proves nothing',
  ],
];

function hintFor({ accepted, rejected }: SignatureCheck, needed: number): string {
  const found = HINTS.find(([cause]) => rejected.some((signature) => signature.cause === cause));
  if (found !== undefined) return found[1];
  const missing = needed - accepted.length;
  if (accepted.length > 0)
    return `${missing} more ${missing === 1 ? 'person signs' : 'people sign'} with a key of their own: \`dray sign\`; a signature made after the burn is given with \`--signature FILE\``;
  return 'sign it on the connected side with `dray sign`; a signature that came as a file of its own is given with `--signature FILE`';
}
