import { CATALOGUE, DrayError, asDrayError } from '../errors.ts';

const HINT = 'look whether a proxy answers in its place, and run the same command again';

/** While something is locked or fetched there is no target: what answered something that cannot be right is upstream. */
export function upstreamFault(error: unknown): DrayError {
  const known = asDrayError(error);
  if (known.code !== 'target-failed') return known;
  const hint = known.hint === CATALOGUE['target-failed'].remedy ? HINT : known.hint;
  return new DrayError('upstream-invalid', known.message, { hint, where: known.where, cause: known });
}
