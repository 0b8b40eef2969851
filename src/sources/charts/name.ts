import { printable } from '../../io/safe-path.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { isTag, parseReference } from '../../oci/reference.ts';
import { entryInvalid } from '../pinned.ts';
import { placed } from '../placement.ts';

/** A version as registries can hold it: a tag has no `+` (helm, pkg/registry/reference.go). */
export function tagOf(version: string): string {
  return version.replaceAll('+', '_');
}

/**
 * A chart's name in the enclave: its own, or `as`, which with a final slash is put before `NAME:VERSION` and without a
 * tag gets the version's.
 * @throws `manifest-invalid` where no registry could hold it
 */
export function chartName(entry: Entry, own: string): string {
  const last = own.slice(own.lastIndexOf('/') + 1);
  const given = entry.as === undefined ? own : placed(entry.as, last);
  const name = hasTag(given) ? given : `${given}${last.slice(last.lastIndexOf(':'))}`;
  const repository = name.slice(0, name.lastIndexOf(':'));
  const tag = name.slice(repository.length + 1);
  if (!isTag(tag)) throw entryInvalid(entry, `${printable(name)}: ${printable(tag)} is not a tag`, HINT);
  const { digest } = parseReference(`${repository.toLowerCase()}:${tag}`);
  if (digest !== undefined) throw entryInvalid(entry, `${printable(name)}: expected a name, found a digest`, HINT);
  return name;
}

const HINT = 'tags are at most 128 letters, digits and . _ -; give it another name with `as`';

function hasTag(name: string): boolean {
  return name.lastIndexOf(':') > name.lastIndexOf('/');
}
