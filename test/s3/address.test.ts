import { expect, it } from 'vitest';
import { bucketProblem, endpointProblem, prefixProblem, urlOf } from '../../src/s3/address.ts';
import { composite, fromBase64, toBase64 } from '../../src/s3/checksum.ts';
import { digestOf } from '../../src/oci/digest.ts';

it.each([
  ['models', 'http://127.0.0.1:8333', true, '', 'http://127.0.0.1:8333/models'],
  ['models', 'http://127.0.0.1:8333', true, 'a b/ü+&(1)', 'http://127.0.0.1:8333/models/a%20b/%C3%BC%2B%26%281%29'],
  ['models', 'https://s3.example/base/', true, 'k', 'https://s3.example/base/models/k'],
  ['models', 'https://s3.example:444', false, 'k', 'https://models.s3.example:444/k'],
  ['models', undefined, false, 'a/b', 'https://models.s3.eu-x-1.amazonaws.com/a/b'],
  ['my.models', undefined, false, 'k', 'https://s3.eu-x-1.amazonaws.com/my.models/k'],
  ['models', undefined, true, 'k', 'https://s3.eu-x-1.amazonaws.com/models/k'],
])('%s at %s (path style: %s), %j is %s', (bucket, endpoint, pathStyle, key, url) => {
  expect(urlOf({ bucket, endpoint, pathStyle }, 'eu-x-1', key).href.replace(/\/$/, '')).toBe(url);
});

it('AWS in China is another one', () => {
  const { host } = urlOf({ bucket: 'models', endpoint: undefined, pathStyle: false }, 'cn-north-1');
  expect(host).toBe('models.s3.cn-north-1.amazonaws.com.cn');
});

it.each([
  'ab',
  'a'.repeat(64),
  'Models',
  'my_models',
  '-models',
  'models-',
  'a..b',
  '10.0.0.1',
  'xn--models',
  'a-s3alias',
  'a b',
])('%j is no bucket', (bucket) => expect(bucketProblem(bucket)).toMatch(/^expected/));

it.each(['abc', 'tao-storage', 'my.models.2', '0models9', 'a'.repeat(63)])('%j is one', (bucket) =>
  expect(bucketProblem(bucket)).toBeUndefined(),
);

it.each([
  ['', true],
  ['a', true],
  ['a/b c/ü', true],
  ['/a', false],
  ['a/', false],
  ['a//b', false],
  ['../a', false],
  ['a/./b', false],
])('prefix %j: %s', (prefix, isRight) => expect(prefixProblem(prefix) === undefined).toBe(isRight));

it.each([
  ['http://a.example', true, true],
  ['https://a.example/base', true, true],
  ['http://10.0.0.1:8333', true, true],
  ['http://[::1]:8333', true, true],
  ['http://10.0.0.1:8333', false, false],
  ['http://[::1]:8333', false, false],
  ['a.example', true, false],
  ['ftp://a.example', true, false],
  ['http://user:word@a.example', true, false],
  ['http://a.example?x=y', true, false],
])('endpoint %s (path style: %s): %s', (endpoint, pathStyle, isRight) => {
  expect(endpointProblem(endpoint, pathStyle) === undefined).toBe(isRight);
});

it('checksums are digests in base64, and composites say of how many parts', () => {
  const digest = digestOf('x');
  expect(fromBase64(toBase64(digest))).toBe(digest);
  for (const other of [undefined, '', `${toBase64(digest)}-2`, 'AAAA', 'x'.repeat(44)])
    expect(fromBase64(other)).toBeUndefined();
  // (printf x | openssl dgst -sha256 -binary; printf y | openssl dgst -sha256 -binary) | openssl dgst -sha256 -binary | base64
  expect(composite([digestOf('x'), digestOf('y')])).toBe('8VDoUIu7yL5SMqmZo693sD9EMPhue1lZNHZxClrLAVY=-2');
});
