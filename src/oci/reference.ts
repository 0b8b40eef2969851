import { DrayError } from '../errors.ts';
import { isDigest } from './digest.ts';
import type { Digest } from './digest.ts';

/** Where an image or an OCI chart lives. `repository` has no host; at least one of `tag` and `digest` stands in a written reference. */
export interface Reference {
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** distribution-spec, "Pulling manifests": names are lower case, tags at most 128 characters. */
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;

export function isRepository(text: string): boolean {
  return text.length <= 255 && REPOSITORY.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/**
 * Reads a reference as Docker writes it: without a host it is docker.io, there without a namespace it is `library/`,
 * and without tag and digest it is `latest`.
 * @throws `manifest-invalid`
 */
export function parseReference(text: string): Reference {
  const [beforeDigest = '', digest, ...more] = text.split('@');
  const colon = beforeDigest.lastIndexOf(':');
  const tagged = colon > beforeDigest.lastIndexOf('/');
  const path = tagged ? beforeDigest.slice(0, colon) : beforeDigest;
  const tag = tagged ? beforeDigest.slice(colon + 1) : digest === undefined ? 'latest' : undefined;
  const { host, repository } = splitHost(path);
  if (more.length > 0 || !HOST.test(host) || !isRepository(repository))
    refuse(text, 'expected HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…, in lower case');
  if (tag !== undefined && !isTag(tag)) refuse(text, `${JSON.stringify(tag)} is not a tag`);
  if (digest !== undefined && !isDigest(digest)) refuse(text, `${JSON.stringify(digest)} is not a sha256 digest`);
  return {
    host,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

export function formatReference({ host, repository, tag, digest }: Reference): string {
  return `${host}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function splitHost(path: string): { host: string; repository: string } {
  const slash = path.indexOf('/');
  const first = path.slice(0, Math.max(slash, 0));
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const host = isHost ? (first === 'index.docker.io' ? 'docker.io' : first) : 'docker.io';
  const repository = isHost ? path.slice(slash + 1) : path;
  return { host, repository: host === 'docker.io' && !repository.includes('/') ? `library/${repository}` : repository };
}

function refuse(text: string, reason: string): never {
  throw new DrayError('manifest-invalid', `reference ${JSON.stringify(text)}: ${reason}`);
}
