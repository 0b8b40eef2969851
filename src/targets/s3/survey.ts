import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import type { Bounds } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import type { Bucket } from '../../s3/bucket.ts';
import type { S3Keys } from './keys.ts';
import type { S3Objects } from './objects.ts';
import type { Delivery } from '../target.ts';
import type { TreeFile } from '../disk/tree-file.ts';

/** What of an artifact's place in a bucket matters before its first byte. */
export interface S3Survey {
  /** Of the wanted keys, those that hold the right thing. */
  readonly right: ReadonlySet<string>;
  /** Those that hold something else that dray put there. */
  readonly older: ReadonlySet<string>;
  /** Objects of an older version of a model, or of a wheelhouse's index, that the new one does not have. */
  readonly outdated: readonly string[];
  /** Is there a marker, of whatever version? */
  readonly marked: boolean;
}

interface Surveyed {
  readonly bucket: Bucket;
  readonly objects: S3Objects;
  readonly keys: S3Keys;
  readonly bounds: Bounds;
}

/** With more names straight below the prefix than this, all that is there is listed at once. */
const MOST_ROOTS = 32;

/**
 * Looks at the place of a delivery. A model has its directory for itself, as in a model cache, and so has the index of a
 * wheelhouse; file sets and wheels share theirs with whatever else is there.
 * @throws `name-taken` where an object stands in the place of a directory, a directory in that of an object, or something
 *   that dray did not put there in a place that it needs
 */
export async function surveyBucket(delivery: Delivery, files: readonly TreeFile[], on: Surveyed): Promise<S3Survey> {
  const { artifact, name } = delivery;
  const { objects, keys, bounds } = on;
  const wanted = new Map(files.map((file) => [keys.of(file.path), file]));
  if (artifact.kind === 'models') await refuseNested(delivery, on);
  const { existing, others } = await list(delivery, wanted, on);
  const right = new Set<string>();
  const older = new Set<string>();
  await parallel(existing, bounds, async (key) => {
    const file = wanted.get(key);
    const standing = file === undefined ? 'nothing' : await objects.standing(key, file.blob);
    if (standing === 'foreign')
      throw taken(key, `expected none or ${file?.blob.digest ?? ''}, found an object that dray did not put there`);
    if (standing !== 'nothing') (standing === 'right' ? right : older).add(key);
  });
  await parallel(others, bounds, async (key) => {
    if ((await objects.head(key))?.ours === undefined)
      throw taken(
        key,
        'dray did not put this object there, where a model, or the index of a wheelhouse, has its directory for itself',
      );
  });
  const marked = (await objects.head(keys.marker(artifact, name))) !== undefined;
  return { right, older, outdated: others, marked };
}

interface Listed {
  readonly existing: readonly string[];
  /** Of a model's directory, or of a wheelhouse's index, what is not wanted. */
  readonly others: readonly string[];
}

async function list(
  { artifact, name }: Delivery,
  wanted: ReadonlyMap<string, TreeFile>,
  { bucket, objects, keys, bounds }: Surveyed,
): Promise<Listed> {
  const directories = new Set([...wanted.keys()].flatMap(directoriesOf));
  const roots = rootsOf(artifact.kind === 'files' ? undefined : name, wanted);
  const above = new Set([...roots].flatMap((root) => directoriesOf(keys.of(root))));
  const own =
    artifact.kind === 'models'
      ? `${keys.of(name)}/`
      : artifact.kind === 'wheels'
        ? `${keys.of(name)}/simple/`
        : undefined;
  const existing: string[] = [];
  const others: string[] = [];
  const see = (key: string): void => {
    if (directories.has(key)) throw taken(key, 'expected a directory, found an object');
    if (directoriesOf(key).some((directory) => wanted.has(directory))) throw taken(key, 'expected no directory there');
    if (wanted.has(key)) existing.push(key);
    else if (own !== undefined && key.startsWith(own) && !key.endsWith('/')) others.push(key);
  };
  const atOnce = roots.size > MOST_ROOTS;
  await parallel([...above, ...(atOnce ? [] : [...roots].map((root) => keys.of(root)))], bounds, async (key) => {
    if ((await objects.head(key)) !== undefined) see(key);
  });
  for (const scope of atOnce ? [keys.of('')] : [...roots].map((root) => keys.of(`${root}/`)))
    for await (const key of bucket.list(scope)) see(key);
  return { existing, others };
}

/** The directory that an artifact has, or what its files begin with. */
function rootsOf(name: string | undefined, wanted: ReadonlyMap<string, TreeFile>): ReadonlySet<string> {
  if (name !== undefined) return new Set([name]);
  return new Set([...wanted.values()].map(({ path }) => path.split('/', 1)[0] ?? path));
}

/** `a/b/c` → `a`, `a/b`. */
function directoriesOf(key: string): readonly string[] {
  const parts = key.split('/');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
}

/** Models do not lie in one another: replacing the outer one would remove the inner. */
async function refuseNested({ artifact, name }: Delivery, { bucket, objects, keys }: Surveyed): Promise<void> {
  for (const above of directoriesOf(name))
    if ((await objects.head(keys.marker(artifact, above))) !== undefined)
      throw taken(keys.of(above), 'is a model of its own, expected a directory of models');
  for await (const marker of bucket.list(keys.markersBelow(artifact, name)))
    throw taken(keys.of(name), `expected no other model in this one's directory, found that of ${printable(marker)}`);
}

function taken(key: string, found: string): DrayError {
  return new DrayError('name-taken', `${printable(key)}: ${found}`, {
    hint: 'move it away; dray replaces only what it put there itself',
  });
}
