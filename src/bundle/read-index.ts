import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { BundleIndex } from './bundle-index.ts';
import { indexBytes } from './compose.ts';
import { volumeStem } from './names.ts';
import { parseStrict, shaped } from './strict-json.ts';

/**
 * What the bytes of a bundle.json say, where that is in the one spelling, in the shape of the format, and free of
 * contradictions (docs/format.md, "bundle.json").
 * @throws `bundle-invalid`
 */
export function readIndex(bytes: Uint8Array, subject: string): BundleIndex {
  const index = shaped(BundleIndex, parseStrict(bytes, subject), subject);
  if (!indexBytes(index).equals(bytes))
    throw new DrayError('bundle-invalid', `${subject}: has its keys in another order`);
  const [wrong] = contradictions(index);
  if (wrong !== undefined) throw new DrayError('bundle-invalid', `${subject}: ${wrong}`);
  return index;
}

function* contradictions(index: BundleIndex): Generator<string> {
  yield* amongVolumes(index);
  yield* amongGroups(index);
  yield* amongArtifacts(index);
}

/** Names follow from the numbers, and volumes fill one medium after the other. */
function* amongVolumes(index: BundleIndex): Generator<string> {
  let last = 0;
  for (const [at, { number, medium, archive, pieces, chunks }] of index.volumes.entries()) {
    const stem = volumeStem(index, number);
    const isNamed = pieces.file === `${stem}.pieces` && chunks.file === `${stem}.chunks`;
    const isArchive = index.format === 'archive' ? archive?.file === `${stem}.tar` : archive === null;
    if (number !== at + 1 || !isNamed || !isArchive)
      yield `volume ${number} is not named or numbered as the format says`;
    if (medium !== last && medium !== last + 1)
      yield `expected volume ${number} on medium ${last + 1}, found it on ${medium}`;
    last = medium;
  }
  if (last !== index.media) yield `expected volumes on ${index.media} media, found them on ${last}`;
}

function* amongGroups({ groups, artifacts }: BundleIndex): Generator<string> {
  const names = new Set(groups.map(({ name }) => name));
  if (names.size !== groups.length) yield 'holds two groups with one name';
  const asked = [...groups.flatMap(({ needs }) => needs), ...artifacts.flatMap((artifact) => artifact.groups)];
  for (const name of asked) if (!names.has(name)) yield `has no group ${printable(name)}, which is asked for`;
}

function* amongArtifacts({ artifacts, volumes }: BundleIndex): Generator<string> {
  const names = new Set(artifacts.map(({ kind, name }) => `${kind} ${name}`));
  if (names.size !== artifacts.length) yield 'holds two artifacts with one name';
  for (const { name, volumes: own } of artifacts) {
    const ascends = own.every((number, at) => number > (own[at - 1] ?? 0));
    if (own.length === 0 || !ascends || (own.at(-1) ?? 0) > volumes.length)
      yield `${printable(name)}: expected ascending numbers of volumes, found ${own.slice(0, 8).join(', ') || 'none'}`;
  }
}
