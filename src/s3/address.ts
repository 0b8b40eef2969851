import { isIP } from 'node:net';
import { isSafePath } from '../io/safe-path.ts';

/** Where a bucket is spoken to. */
export interface BucketAddress {
  readonly bucket: string;
  /** The service; undefined for AWS, which has one for each region. */
  readonly endpoint: string | undefined;
  /** The bucket as the first part of the path rather than of the host. */
  readonly pathStyle: boolean;
}

/** Bytes of UTF-8 that a key may have ("Naming Amazon S3 objects"). */
export const LONGEST_KEY = 1024;

/**
 * What is wrong with the name of a bucket; undefined where nothing is. The rules are those of AWS ("General purpose bucket
 * naming rules"): servers that take more take these, and behind TLS a name is part of a host's.
 */
export function bucketProblem(bucket: string): string | undefined {
  if (bucket.length < 3 || bucket.length > 63) return `expected 3 to 63 characters, found ${bucket.length}`;
  if (!/^[a-z0-9.-]+$/.test(bucket)) return 'expected lower-case letters, digits, `-` and `.` alone';
  if (!/^[a-z0-9].*[a-z0-9]$/.test(bucket)) return 'expected a letter or digit at its beginning and end';
  if (bucket.includes('..') || isIP(bucket) !== 0) return 'expected neither `..` nor an IP address';
  if (/^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(bucket))
    return 'expected none of the beginnings and endings that AWS keeps to itself';
  return undefined;
}

/** What is wrong with a prefix, whose parts are separated by single slashes; undefined where nothing is. Empty is right. */
export function prefixProblem(prefix: string): string | undefined {
  if (prefix === '' || isSafePath(prefix)) return undefined;
  return 'expected parts separated by single slashes, none of them `.` or `..`';
}

/** What is wrong with the URL of a service; undefined where nothing is. */
export function endpointProblem(endpoint: string, pathStyle: boolean): string | undefined {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return 'expected http://… or https://…';
  if (url.username !== '' || url.password !== '') return 'expected no login in it, found one';
  if (url.search !== '' || url.hash !== '') return 'expected nothing behind the path';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!pathStyle && isIP(host) !== 0)
    return 'expected a host name, which a bucket can stand before, found an IP address';
  return undefined;
}

/** The URL of the bucket, or of one of its objects, without a query. */
export function urlOf({ bucket, endpoint, pathStyle }: BucketAddress, region: string, key = ''): URL {
  const base = new URL(endpoint ?? awsEndpoint(region));
  // A dot in its name does not fit the certificate of AWS.
  const inPath = pathStyle || (endpoint === undefined && bucket.includes('.'));
  const path = base.pathname.replace(/\/+$/, '');
  const root = inPath ? `${path}/${bucket}` : path;
  const host = inPath ? base.host : `${bucket}.${base.host}`;
  return new URL(`${base.protocol}//${host}${root}/${key.split('/').map(encodePart).join('/')}`.replace(/\/$/, ''));
}

function awsEndpoint(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** RFC 3986: signatures count what `encodeURIComponent` leaves alone. */
export function encodePart(part: string): string {
  return encodeURIComponent(part).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
