import type { Kind } from '../oci/kinds.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';

/** A `ref` as its kind means it: a chart's begins with oci://, and `+` in its version is `_` in a tag. @throws `manifest-invalid` */
export function readReference(kind: Kind, text: string): Reference {
  return parseReference(kind === 'charts' ? text.replace(/^oci:\/\//, '').replaceAll('+', '_') : text);
}

/** Equal for two spellings of one thing: `nginx` is `docker.io/library/nginx:latest`. */
export function normalReference(kind: Kind, text: string): string {
  return formatReference(readReference(kind, text));
}

/** `as` with a final slash, put before an image's repository in place of its host, as before the names inside an archive. */
export function prefixed(prefix: string, text: string): string {
  const { host, repository } = parseReference(text);
  return `${prefix}${host === 'docker.io' ? repository.replace(/^library\//, '') : repository}`;
}
