import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { shortOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatReference, parseReference } from '../../oci/reference.ts';
import type { Reference } from '../../oci/reference.ts';

/** What an archive calls an image. */
export interface NamesInside {
  /** References as they are written there. */
  readonly names: readonly string[];
  /** Where it says a tag alone. */
  readonly tag: string | undefined;
}

/** The full name in the enclave: without a tag it gets `d-<12 hex>` of what is delivered. */
export function fullName({ host, repository, tag }: Reference, delivers: Digest): string {
  return formatReference({ host, repository, tag: tag ?? `d-${shortOf(delivers)}` });
}

/** An image by reference: its own name, or `as`, which keeps the reference's tag where it has none. @throws `manifest-invalid` */
export function nameOfReference({ host, repository, tag }: Reference, as: string | undefined): Reference {
  return as === undefined ? { host, repository, ...(tag === undefined ? {} : { tag }) } : renamed(as, tag);
}

/**
 * The names of each image of an archive. `as` with a final slash is put before the names inside, in place of their
 * hosts; without one it names the only image. A name inside is read as Docker reads it.
 * @throws `manifest-invalid` where an image has no name; `name-collision` where two get one
 */
export function namesInArchive(
  images: readonly NamesInside[],
  as: string | undefined,
  subject: string,
): readonly (readonly Reference[])[] {
  const named =
    as === undefined || as.endsWith('/')
      ? images.map((image) => ownNames(image, as, subject))
      : [only(images, as, subject)];
  const taken = new Set<string>();
  for (const name of named.flat().map(formatReference)) {
    if (taken.has(name)) throw new DrayError('name-collision', `${subject}: two images would get the name ${name}`);
    taken.add(name);
  }
  return named;
}

function ownNames({ names, tag }: NamesInside, prefix: string | undefined, subject: string): readonly Reference[] {
  if (names.length === 0) {
    const found = tag === undefined ? 'an image without a name' : `an image with only a tag, ${printable(tag)}`;
    throw unnamed(subject, found, 'name it with `as: HOST/REPOSITORY:TAG`');
  }
  const read = names
    .map((name) => readName(name, subject))
    .map((name) => (prefix === undefined ? name : below(prefix, name)));
  return [...new Map(read.map((name) => [formatReference(name), name])).values()];
}

function only(images: readonly NamesInside[], as: string, subject: string): readonly Reference[] {
  const [image, ...others] = images;
  if (image === undefined || others.length > 0)
    throw unnamed(
      subject,
      `${images.length} images for the one name ${JSON.stringify(as)}`,
      'end `as` with a slash to put it before their names',
    );
  const [name] = image.names;
  const inside = image.tag ?? (name === undefined || hasTag(as) ? undefined : readName(name, subject).tag);
  return [renamed(as, inside)];
}

function readName(name: string, subject: string): Reference {
  try {
    const { host, repository, tag } = parseReference(name);
    return { host, repository, ...(tag === undefined ? {} : { tag }) };
  } catch (error) {
    throw new DrayError(
      'manifest-invalid',
      `${subject}: expected the name of an image inside, found ${JSON.stringify(name)}`,
      {
        hint: 'name it with `as: HOST/REPOSITORY:TAG`',
        cause: error,
      },
    );
  }
}

/** A reference has one host, so the prefix's takes the place of the one inside; so does it of Docker's own `library/`. */
function below(prefix: string, { host, repository, tag }: Reference): Reference {
  const path = host === 'docker.io' ? repository.replace(/^library\//, '') : repository;
  return renamed(`${prefix}${path}`, tag);
}

function renamed(as: string, tag: string | undefined): Reference {
  const { host, repository, digest, tag: own } = parseReference(as);
  if (digest !== undefined)
    throw new DrayError('manifest-invalid', `as ${JSON.stringify(as)}: expected HOST/REPOSITORY:TAG, found a digest`);
  const written = hasTag(as) ? own : tag;
  return { host, repository, ...(written === undefined ? {} : { tag: written }) };
}

function hasTag(reference: string): boolean {
  return reference.lastIndexOf(':') > reference.lastIndexOf('/');
}

function unnamed(subject: string, found: string, hint: string): DrayError {
  return new DrayError('manifest-invalid', `${subject}: expected a name for each image, found ${found}`, { hint });
}
