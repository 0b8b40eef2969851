import { resolve } from 'node:path';
import { bucketProblem, endpointProblem, prefixProblem } from '../s3/address.ts';
import type { S3Spec, Taking } from './site.ts';
import type { TARGETS } from './target-schema.ts';

export type S3Fields = (typeof TARGETS.s3)['_zod']['output'];

/** What is wrong with the keys of an S3 target; undefined where nothing is. */
export function s3Contradiction(fields: S3Fields): { readonly key: string; readonly message: string } | undefined {
  const { s3, endpoint, caFile } = fields;
  const { bucket, prefix } = placeOf(s3);
  const name = bucketProblem(bucket);
  if (name !== undefined) return { key: 's3', message: `the bucket's name: ${name}` };
  const below = prefixProblem(prefix);
  if (below !== undefined) return { key: 's3', message: `the prefix: ${below}` };
  if (endpoint === undefined) return undefined;
  const url = endpointProblem(endpoint, pathStyleOf(fields));
  if (url !== undefined) return { key: 'endpoint', message: url };
  if (caFile !== undefined && endpoint.startsWith('http:'))
    return { key: 'caFile', message: 'expected an endpoint with https beside it, found http' };
  return undefined;
}

export function s3Spec(fields: S3Fields, taking: Taking, base: string): S3Spec {
  const { s3, endpoint, region, createBucket = false, readBack, caFile } = fields;
  return {
    type: 's3',
    ...placeOf(s3),
    pathStyle: pathStyleOf(fields),
    createBucket,
    ...(endpoint === undefined ? {} : { endpoint: endpoint.replace(/\/+$/, '') }),
    ...(region === undefined ? {} : { region }),
    ...(readBack === undefined ? {} : { readBack }),
    ...(caFile === undefined ? {} : { caFile: resolve(base, caFile) }),
    ...taking,
  };
}

function pathStyleOf({ pathStyle, endpoint }: S3Fields): boolean {
  return pathStyle ?? endpoint !== undefined;
}

/** `BUCKET[/PREFIX]`; a final slash says nothing. */
function placeOf(written: string): { readonly bucket: string; readonly prefix: string } {
  const slash = written.indexOf('/');
  if (slash < 0) return { bucket: written, prefix: '' };
  return { bucket: written.slice(0, slash), prefix: written.slice(slash + 1).replace(/\/$/, '') };
}
