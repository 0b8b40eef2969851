import type * as z from 'zod';
import { DrayError } from '../errors.ts';
import { suggestion } from '../io/yaml/nearest.ts';
import { printable } from '../io/safe-path.ts';
import { expectation } from '../io/yaml/expectation.ts';
import type { TargetSpec } from './site.ts';
import { TARGETS } from './target-schema.ts';
import type { TargetKey } from './target-schema.ts';
import { contradiction, targetSpec, unsupportedKey } from './target-spec.ts';

/** The schemes of `--to`, the keys of a target in `site.yaml` spelled as URIs are. */
const SCHEMES: Readonly<Record<string, TargetKey>> = {
  registry: 'registry',
  s3: 's3',
  'model-cache': 'modelCache',
  directory: 'directory',
  'oci-layout': 'ociLayout',
  'docker-archive': 'dockerArchive',
  containerd: 'containerd',
};

const FORMS =
  'registry://HOST[:PORT]/PREFIX, s3://BUCKET/PREFIX, model-cache:DIR, directory:DIR, oci-layout:DIR, docker-archive:FILE or containerd:NAMESPACE';

const LOGINS: Readonly<Record<string, string>> = {
  registry: '`docker login HOST` keeps it',
  s3: 'the AWS chain keeps it: AWS_ACCESS_KEY_ID, or a profile',
};

/** Keys that have parts of their own fit into no URI. */
const NESTED = ['rename'];
const LISTS = ['take', 'group', 'without'];

/**
 * A `--to` URI: `registry://HOST[:PORT]/PREFIX`, `directory:DIR`, …, and behind a `?` the target's plain keys, joined by
 * `&`, percent-encoded; of those that are lists several, joined by commas or repeated. Relative directories are relative to `base`.
 * @throws `usage`; `not-supported`; neither ever shows a login
 */
export function parseTargetUri(text: string, base = '.'): TargetSpec {
  const [, scheme = '', rest = '', query = ''] = /^([a-z0-9-]+):([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  const key = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  if ([text, ...new URLSearchParams(query).values()].some(hasLogin))
    throw refuse(`${scheme}://`, 'expected no login in it, found one', LOGINS[scheme] ?? 'keep it elsewhere');
  if (key === undefined) throw refuse(text, `expected ${FORMS}`, suggestion(scheme, Object.keys(SCHEMES)));
  const fields = { [key]: location(text, key, rest), ...optionsOf(text, key, query) };
  const result = TARGETS[key].safeParse(fields, { error: expectation });
  if (!result.success) {
    const [issue] = result.error.issues;
    const name = String(issue?.path[0] ?? '');
    throw refuse(text, `${name === key ? '' : `option ${name}: `}${messageOf(issue)}`);
  }
  const target = { key, fields: result.data };
  const later = unsupportedKey(target);
  if (later !== undefined) throw notSupported(text, later === key ? scheme : later);
  const wrong = contradiction(target);
  if (wrong !== undefined) throw refuse(text, `option ${wrong.key}: ${wrong.message}`);
  const spec = targetSpec(target, base);
  if (spec === undefined) throw notSupported(text, scheme);
  return spec;
}

function hasLogin(url: string): boolean {
  return /^[a-z0-9-]+:\/\/[^/?]*@/i.test(url);
}

function location(text: string, key: TargetKey, rest: string): string {
  const isAuthority = key === 'registry' || key === 's3';
  if (isAuthority && !rest.startsWith('//')) throw refuse(text, `expected ${FORMS}`);
  const place = isAuthority ? rest.slice(2) : rest;
  if (place === '') throw refuse(text, `expected ${FORMS}, found nothing behind the scheme`);
  return place;
}

function optionsOf(text: string, key: TargetKey, query: string): Readonly<Record<string, string | readonly string[]>> {
  const known = Object.keys(TARGETS[key].shape).filter((name) => name !== key && !NESTED.includes(name));
  const options = new Map<string, string | readonly string[]>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (NESTED.includes(name))
      throw refuse(text, `option ${name}: does not fit into a URI`, 'put the target into a site file');
    if (!known.includes(name)) throw refuse(text, `unknown option ${printable(name)}`, suggestion(name, known));
    const earlier = options.get(name) ?? [];
    if (typeof earlier === 'string') throw refuse(text, `option ${name}: stands there twice`);
    options.set(name, LISTS.includes(name) ? [...earlier, ...value.split(',')] : value);
  }
  return Object.fromEntries(options);
}

/** Of a union, what the branch said that looked into the value. */
function messageOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code !== 'invalid_union') return issue?.message ?? 'expected something else';
  const inner = issue.errors.flat();
  return messageOf(inner.find(({ path }) => path.length > 0) ?? inner[0]);
}

function refuse(text: string, message: string, hint?: string): DrayError {
  const helped = hint === undefined || hint === '' ? {} : { hint };
  return new DrayError('usage', `--to ${printable(text)}: ${message}`, helped);
}

function notSupported(text: string, what: string): DrayError {
  return new DrayError('not-supported', `--to ${printable(text)}: ${what}: not supported yet`);
}
