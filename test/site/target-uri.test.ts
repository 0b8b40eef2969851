import { expect, test } from 'vitest';
import { parseTargetUri } from '../../src/site/target-uri.ts';
import { errorOf } from '../support/written-manifest.ts';

const nothing = { group: [], without: [] };
const registry = {
  type: 'registry',
  naming: 'path',
  rename: [],
  overwrite: false,
  take: ['images', 'charts'],
  ...nothing,
};

test.each([
  ['registry://127.0.0.1:5000/mirror', { ...registry, registry: '127.0.0.1:5000/mirror' }],
  ['registry://r.example', { ...registry, registry: 'r.example' }],
  ['registry://[::1]:5000/', { ...registry, registry: '[::1]:5000' }],
  [
    'registry://r.example/a?plainHttp=true&naming=full&overwrite=true',
    { ...registry, registry: 'r.example/a', plainHttp: true, naming: 'full', overwrite: true },
  ],
  ['registry://r.example?caFile=ca%20file.pem', { ...registry, registry: 'r.example', caFile: '/cwd/ca file.pem' }],
  [
    'model-cache:models',
    { type: 'model-cache', directory: '/cwd/models', layout: 'plain', take: ['models'], ...nothing },
  ],
  [
    'model-cache:/srv/models?layout=plain',
    { type: 'model-cache', directory: '/srv/models', layout: 'plain', take: ['models'], ...nothing },
  ],
  [
    'model-cache:/srv/hub?layout=hf',
    { type: 'model-cache', directory: '/srv/hub', layout: 'hf', take: ['models'], ...nothing },
  ],
  [
    'directory:/srv/my files?take=wheels,files&take=models&without=gpu',
    { type: 'directory', directory: '/srv/my files', take: ['wheels', 'files', 'models'], group: [], without: ['gpu'] },
  ],
  ['directory:///srv/files', { type: 'directory', directory: '/srv/files', take: ['wheels', 'files'], ...nothing }],
  [
    's3://bucket/a/prefix/?endpoint=http://127.0.0.1:8333/&createBucket=true&readBack=head&region=eu-x',
    {
      ...{ type: 's3', bucket: 'bucket', prefix: 'a/prefix', endpoint: 'http://127.0.0.1:8333', pathStyle: true },
      ...{ createBucket: true, readBack: 'head', region: 'eu-x', take: ['models', 'files'], ...nothing },
    },
  ],
  [
    's3://bucket?layout=plain',
    {
      type: 's3',
      bucket: 'bucket',
      prefix: '',
      pathStyle: false,
      createBucket: false,
      take: ['models', 'files'],
      ...nothing,
    },
  ],
  ['oci-layout:.?take=images', { type: 'oci-layout', directory: '/cwd', take: ['images'], ...nothing }],
])('%s', (uri, spec) => {
  expect(parseTargetUri(uri, '/cwd')).toEqual(spec);
});

test.each([
  ['ftp://a.example/b', 'expected registry://HOST[:PORT]/PREFIX, '],
  ['/srv/files', 'expected registry://HOST[:PORT]/PREFIX, '],
  ['registry:a.example', 'expected registry://HOST[:PORT]/PREFIX, '],
  ['directory:', 'found nothing behind the scheme'],
  ['registry://', 'found nothing behind the scheme'],
  ['registry://a.example/UP', 'expected HOST[:PORT][/PREFIX] without a scheme, the prefix in lower case'],
  ['registry://a.example?plainHtpp=true', 'unknown option plainHtpp'],
  ['registry://a.example?plainHttp=yes', 'option plainHttp: expected true or false'],
  ['registry://a.example?plainHttp=true&plainHttp=true', 'option plainHttp: stands there twice'],
  ['registry://a.example?rename=x', 'option rename: does not fit into a URI'],
  ['registry://a.example?certFile=x', 'option certFile: expected keyFile beside it, found none'],
  ['directory:a?take=model', 'option take: expected one of images, charts, wheels, models, files'],
  ['directory:a?naming=path', 'unknown option naming'],
  ['s3://b', "the bucket's name: expected 3 to 63 characters, found 1"],
  ['s3://My_Bucket', "the bucket's name: expected lower-case letters"],
  ['s3://192.168.0.1', "the bucket's name: expected neither `..` nor an IP address"],
  ['s3://bucket/a//b', 'the prefix: expected parts separated by single slashes'],
  ['s3://bucket/../b', 'the prefix: expected parts separated by single slashes'],
  ['s3://bucket?endpoint=127.0.0.1:8333', 'option endpoint: expected http://… or https://…'],
  ['s3://bucket?endpoint=http://127.0.0.1&pathStyle=false', 'option endpoint: expected a host name'],
  ['s3://bucket?endpoint=http://a.example&caFile=x', 'option caFile: expected an endpoint with https'],
])('%s is no target', async (uri, expected) => {
  expect(await errorOf(() => parseTargetUri(uri))).toMatchObject({
    code: 'usage',
    exit: 2,
    message: expect.stringContaining(expected) as string,
  });
});

test.each([
  ['registry-//a.example', 'registry'],
  ['direktory:/srv', 'did you mean directory?'],
  ['registry://a.example?plainHtpp=true', 'did you mean plainHttp?'],
])('%s: what was meant', async (uri, hint) => {
  expect((await errorOf(() => parseTargetUri(uri))).hint).toContain(hint);
});

test.each([
  ['s3://bucket/prefix?layout=tao', 'layout'],
  ['docker-archive:images.tar', 'docker-archive'],
  ['containerd:k8s.io', 'containerd'],
  ['model-cache:/srv?layout=nim', 'layout'],
  ['registry://a.example?convert=oci', 'convert'],
])('%s is not supported yet', async (uri, what) => {
  expect(await errorOf(() => parseTargetUri(uri))).toMatchObject({
    code: 'not-supported',
    exit: 2,
    message: `--to ${uri}: ${what}: not supported yet`,
  });
});

test.each([
  'registry://bob:hunter2@a.example/b',
  's3://bob:hunter2@b/c',
  's3://bucket?endpoint=http://bob:hunter2@a.example',
  's3://bucket?endpoint=http%3A%2F%2Fbob%3Ahunter2%40a.example&unknown=1',
  'ftp://bob:hunter2@b/c',
])('a login is refused, and not shown', async (uri) => {
  const error = await errorOf(() => parseTargetUri(uri));
  expect(error.code).toBe('usage');
  expect(`${error.message} ${error.hint}`).not.toContain('hunter2');
});
