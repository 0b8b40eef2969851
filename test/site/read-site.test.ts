import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseSite } from '../../src/site/parse-site.ts';
import { readSite } from '../../src/site/read-site.ts';
import { errorOf, writtenFiles } from '../support/written-manifest.ts';

const HEAD = 'apiVersion: drayage/v1\nkind: Site\nname: enclave-7\ntrust: {keys: release.pub}\n';
const parse = (body: string): ReturnType<typeof parseSite> => parseSite(HEAD + body, '/etc/dray/site.yaml');
/** Lines are counted from the first one of the body. */
const fails = async (body: string): Promise<{ code: string; message: string }> => {
  const { code, message } = await errorOf(() => parse(body));
  return { code, message: message.replace(/^\/etc\/dray\/site\.yaml:(\d+)/, (_, line) => String(Number(line) - 4)) };
};

test('everything that is supported', () => {
  const site = parseSite(
    `
apiVersion: drayage/v1
kind: Site
name: enclave-7
trust:
  keys: [keys/release.pub, /abs/security.pub]
  threshold: 2
  require: {models: 2}
  revoked: keys/old.pub
receiptKey: keys/enclave-7.key
state: state
ignore: wheels
targets:
  - registry: registry.enclave.example:5000/mirror/
    naming: full
    rename: [{from: nvcr.io/nim/, to: nim/}, {from: x/, to: ""}]
    caFile: ca.pem
    certFile: c.pem
    keyFile: k.pem
    overwrite: true
    without: gpu
    group: [a, b, a]
  - registry: "[::1]:5000"
    plainHttp: true
    take: [charts]
  - modelCache: /srv/models
    layout: plain
  - {modelCache: /srv/hub, layout: hf, take: [models, files]}
  - directory: files
    take: [wheels, files, models]
  - ociLayout: oci
hooks: {scan: bin/scan, loaded: after-load}
`,
    '/etc/dray/site.yaml',
  );
  expect(site).toEqual({
    name: 'enclave-7',
    file: '/etc/dray/site.yaml',
    trust: {
      keys: ['/etc/dray/keys/release.pub', '/abs/security.pub'],
      threshold: 2,
      require: { models: 2 },
      revoked: ['/etc/dray/keys/old.pub'],
    },
    receiptKey: '/etc/dray/keys/enclave-7.key',
    state: '/etc/dray/state',
    ignore: ['wheels'],
    targets: [
      {
        type: 'registry',
        registry: 'registry.enclave.example:5000/mirror',
        naming: 'full',
        rename: [
          { from: 'nvcr.io/nim/', to: 'nim/' },
          { from: 'x/', to: '' },
        ],
        caFile: '/etc/dray/ca.pem',
        certFile: '/etc/dray/c.pem',
        keyFile: '/etc/dray/k.pem',
        overwrite: true,
        take: ['images', 'charts'],
        group: ['a', 'b'],
        without: ['gpu'],
      },
      {
        type: 'registry',
        registry: '[::1]:5000',
        naming: 'path',
        rename: [],
        overwrite: false,
        plainHttp: true,
        take: ['charts'],
        group: [],
        without: [],
      },
      { type: 'model-cache', directory: '/srv/models', layout: 'plain', take: ['models'], group: [], without: [] },
      { type: 'model-cache', directory: '/srv/hub', layout: 'hf', take: ['models', 'files'], group: [], without: [] },
      { type: 'directory', directory: '/etc/dray/files', take: ['wheels', 'files', 'models'], group: [], without: [] },
      {
        type: 'oci-layout',
        directory: '/etc/dray/oci',
        take: ['images', 'charts', 'wheels', 'models', 'files'],
        group: [],
        without: [],
      },
    ],
    hooks: { scan: '/etc/dray/bin/scan', loaded: 'after-load' },
  });
});

test('what is not said has its default', () => {
  expect(parse('')).toEqual({
    name: 'enclave-7',
    file: '/etc/dray/site.yaml',
    trust: { keys: ['/etc/dray/release.pub'], threshold: 1, require: {}, revoked: [] },
    state: '/var/lib/dray',
    ignore: [],
    targets: [],
    hooks: {},
  });
  expect(parse('targets: [{directory: a, take: }]').targets[0]).toMatchObject({ take: ['wheels', 'files'] });
});

describe('what cannot be', () => {
  test.each([
    [
      'targets: [{}]',
      '1:11: targets[0]: expected one of registry, s3, modelCache, directory, ociLayout, dockerArchive, containerd, found none',
    ],
    [
      'targets: [{directory: a, registry: b}]',
      '1:11: targets[0]: expected one of registry, s3, modelCache, directory, ociLayout, dockerArchive, containerd, found registry and directory',
    ],
    [
      'targets:\n  - directory: a\n    naming: path',
      '3:5: targets[0]: unknown key naming, known here: directory, take, group, without',
    ],
    [
      'targets:\n  - registry: a.example\n    plainHtpp: true',
      '3:5: targets[0]: unknown key plainHtpp, did you mean plainHttp?',
    ],
    [
      'targets: [{registry: https://a.example}]',
      '1:22: targets[0].registry: expected HOST[:PORT][/PREFIX] without a scheme',
    ],
    ['targets: [{registry: a.example/UP}]', 'the prefix in lower case, found "a.example/UP"'],
    [
      'targets: [{registry: a.example, naming: short}]',
      '1:41: targets[0].naming: expected one of path, full, name, found "short"',
    ],
    [
      'targets: [{registry: a.example, rename: [{from: a}]}]',
      '1:42: targets[0].rename[0].to: expected text, found nothing',
    ],
    [
      'targets: [{registry: a.example, certFile: a}]',
      '1:33: targets[0].certFile: expected keyFile beside it, found none',
    ],
    [
      'targets: [{registry: a.example, plainHttp: true, caFile: a}]',
      '1:33: targets[0].plainHttp: expected plain HTTP or certificates, found both',
    ],
    [
      'targets: [{directory: a, take: [models, image]}]',
      '1:41: targets[0].take[1]: expected one of images, charts, wheels, models, files, found "image"',
    ],
    ['targets: {directory: a, tkae: models}', 'targets: unknown key tkae, did you mean take?'],
    ['targets: [a]', '1:11: targets[0]: expected a mapping, found "a"'],
    ['ignore: [model]', '1:10: ignore[0]: expected one of images, charts, wheels, models, files, found "model"'],
    ['hooks: {scn: a}', '1:9: hooks: unknown key scn, did you mean scan?'],
  ])('%s', async (body, expected) => {
    const error = await fails(body);
    expect(error.code).toBe('site-invalid');
    expect(error.message).toContain(expected);
  });

  test.each([
    ['trust: {keys: []}', 'trust.keys: expected a key at least, found none'],
    ['trust: {threshold: 1}', 'trust.keys: expected a list or text, found nothing'],
    ['trust: {keys: a, threshold: 0}', 'trust.threshold: expected a whole number from 1, found "0"'],
    ['trust: {keys: a, require: {model: 2}}', 'trust.require: unknown key model, did you mean models?'],
    ['', 'trust: expected a mapping, found nothing'],
  ])('%s', async (trust, expected) => {
    const error = await errorOf(() => parseSite(`apiVersion: drayage/v1\nkind: Site\nname: a\n${trust}`, 's.yaml'));
    expect(error).toMatchObject({
      code: 'site-invalid',
      exit: 2,
      message: expect.stringContaining(expected) as string,
    });
  });
});

describe('not supported yet', () => {
  test.each([
    [
      'targets: [{s3: bucket/prefix, endpoint: http://a.example, region: r, pathStyle: true, createBucket: true, layout: tao, readBack: head, caFile: a}]',
      '1:107: targets[0].layout',
    ],
    ['targets: [{dockerArchive: /srv/images.tar}]', '1:12: targets[0].dockerArchive'],
    ['targets: [{containerd: k8s.io, group: gpu}]', '1:12: targets[0].containerd'],
    ['targets: [{registry: a.example, createRepository: make}]', '1:33: targets[0].createRepository'],
    ['targets: [{registry: a.example, convert: oci}]', '1:33: targets[0].convert'],
    ...['nim', 'triton', 'ollama', 'tao'].map((layout) => [
      `targets: [{modelCache: /srv/m, layout: ${layout}}]`,
      '1:32: targets[0].layout',
    ]),
  ])('%s', async (body, expected) => {
    expect(await fails(body)).toEqual({ code: 'not-supported', message: `${expected}: not supported yet` });
  });

  test('but no key of it may be unknown', async () => {
    expect(await fails('targets: [{s3: a, layuot: tao}]')).toMatchObject({
      code: 'site-invalid',
      message: '1:19: targets[0]: unknown key layuot, did you mean layout?',
    });
  });
});

describe('a site file on a medium', () => {
  const { directory, remove } = writtenFiles({
    'etc/site.yaml': HEAD,
    'medium/site.yaml': HEAD,
    'medium/deep/er/site.yaml': HEAD,
    'medium-2/site.yaml': HEAD,
  });
  symlinkSync(join(directory, 'medium/site.yaml'), join(directory, 'etc/link.yaml'));
  symlinkSync(join(directory, 'medium'), join(directory, 'mnt'));
  symlinkSync(join(directory, 'etc/site.yaml'), join(directory, 'medium/out.yaml'));
  const notBelow = [join(directory, 'medium')];

  test.each([
    'medium/site.yaml',
    'medium/deep/er/site.yaml',
    'etc/link.yaml',
    'mnt/site.yaml',
    'medium/out.yaml',
    'medium/../medium/site.yaml',
  ])('%s is refused', async (file) => {
    const error = await errorOf(() => readSite(join(directory, file), { notBelow }));
    expect(error).toMatchObject({
      code: 'site-invalid',
      message: expect.stringContaining('found one on a medium') as string,
    });
  });

  test.each(['etc/site.yaml', 'medium-2/site.yaml'])('%s is read', async (file) => {
    expect((await readSite(join(directory, file), { notBelow })).name).toBe('enclave-7');
  });

  test('media that are not there stop nothing', async () => {
    expect((await readSite(join(directory, 'etc/site.yaml'), { notBelow: [join(directory, 'none')] })).state).toBe(
      '/var/lib/dray',
    );
    remove();
  });
});

test('a site file that is not there', async () => {
  expect(await errorOf(() => readSite('/nowhere/site.yaml'))).toMatchObject({
    code: 'site-invalid',
    hint: '`dray init --site` writes one to start from',
  });
});

test('a site file is relative to its own directory, wherever it is read from', async () => {
  const { directory, remove } = writtenFiles({});
  mkdirSync(join(directory, 'a'));
  writeFileSync(join(directory, 'a/site.yaml'), HEAD);
  const site = await readSite(join(directory, 'b/../a/site.yaml'));
  remove();
  expect(site.trust.keys).toEqual([join(directory, 'a/release.pub')]);
});
