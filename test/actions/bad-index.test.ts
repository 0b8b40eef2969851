import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { forge, publish } from '../support/forge.ts';
import type { Forgery } from '../support/forge.ts';
import { standardWorkplace } from '../support/enclave.ts';
import type { Failed, Workplace } from '../support/enclave.ts';

let place: Workplace;
let copies = 0;
beforeAll(async () => {
  place = await standardWorkplace();
  await place.succeed(['pack', 'good', '--key', 'release.key', '--media', '500KB']);
});

/** Signed by whom the site trusts, and refused all the same, by every verb and before anything is delivered. */
async function refused(out: string, status = 11, code = 'bundle-invalid'): Promise<Failed> {
  const said = await place.fail(['verify', out, '--key', 'release.pub'], status, code);
  for (const words of [
    ['inspect', out],
    ['inspect', out, '--key', 'release.pub'],
    ['verify', out, '--site', 'site.yaml', '--quick', '--partial'],
    ['load', out, '--site', 'site.yaml'],
    ['load', out, '--site', 'site.yaml', '--dry-run'],
    ['sign', out, '--key', 'other.key'],
  ])
    await place.fail(words, status, code);
  expect([existsSync(place.path('files')), existsSync(place.path('models'))]).toEqual([false, false]);
  return said;
}

const copy = (): string => place.copy('good', `out-${++copies}`);

/** A bundle.json of these bytes. */
async function published(text: (json: string) => string | Buffer): Promise<string> {
  const out = copy();
  const json = readFileSync(place.path(out, 'cargo-1-1of3/bundle.json'), 'utf8');
  await publish(place.path(out), place.path('release.key'), text(json));
  return out;
}

async function forged(change: (forgery: Forgery) => void): Promise<string> {
  const out = copy();
  await forge(place.path(out), place.path('release.key'), change);
  return out;
}

describe('a bundle.json', () => {
  it('of more than 4 MiB is not even parsed', async () => {
    const out = await published((json) => json.replace('"profile":"', `"profile":"${'x'.repeat(5_000_000)}`));
    expect((await refused(out)).message).toMatch(/bundle\.json: expected at most 4194304 bytes, found 500\d+/);
  });

  it.each<readonly [string, (json: string) => string | Buffer]>([
    ['has a key twice', (json) => json.replace('{', '{"drayage":1,')],
    ['has a key twice, deep inside', (json) => json.replace('"kind":"models"', '"kind":"files","kind":"models"')],
    ['ends with a line feed', (json) => `${json}\n`],
    ['has white space', (json) => json.replace(',', ', ')],
    ['is pretty', (json) => JSON.stringify(JSON.parse(json), null, 2)],
    ['has a byte order mark', (json) => `\ufeff${json}`],
    ['spells a number otherwise', (json) => json.replace('"sequence":1', '"sequence":1.0')],
    ['spells a number with an exponent', (json) => json.replace('"sequence":1', '"sequence":1e0')],
    ['spells a text otherwise', (json) => json.replace('"cargo"', '"c\\u0061rgo"')],
    ['escapes a slash', (json) => json.replace('weights', 'weights\\/')],
    ['is not UTF-8', (json) => Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from([0xff]), Buffer.from('}')])],
    ['is empty', () => ''],
    ['is null', () => 'null'],
    ['is a list', () => '[]'],
    ['is nested deep', () => `${'['.repeat(500_000)}${']'.repeat(500_000)}`],
    [
      'is nested deep in one place',
      (json) => json.replace('"audience":[]', `"audience":${'['.repeat(500_000)}${']'.repeat(500_000)}`),
    ],
    ['has a prototype', (json) => json.replace('{', '{"__proto__":{"drayage":1},')],
  ])('that %s', async (_what, text) => {
    expect((await refused(await published(text))).message).toContain('bundle.json');
  });

  it.each<readonly [string, (json: string) => string]>([
    ['of another version', (json) => json.replace('"drayage":1', '"drayage":2')],
    ['with an unknown key', (json) => json.replace('{', '{"extra":1,')],
    ['with an unknown key at its end', (json) => json.replace(/}$/, ',"extra":1}')],
    [
      'with its keys in another order',
      (json) => json.replace('"drayage":1,"name":"cargo"', '"name":"cargo","drayage":1'),
    ],
    ['without a key', (json) => json.replace('"audience":[],', '')],
    ['with a number below 1', (json) => json.replace('"sequence":1', '"sequence":0')],
    ['with a number beyond all', (json) => json.replace('"sequence":1', '"sequence":1e+21')],
    ['with a digest that is none', (json) => json.replace(/"lock":"sha256:[0-9a-f]{4}/, '"lock":"sha256:../.')],
    ['with a digest in capitals', (json) => json.replace(/"lock":"sha256:[0-9a-f]{4}/, '"lock":"sha256:ABCD')],
    ['with a name that is a path', (json) => json.replace('"name":"cargo"', '"name":"../cargo"')],
    ['with a time that is none', (json) => json.replace('"expires":null', '"expires":"soon"')],
    ['with a kind that is none', (json) => json.replace('"kind":"models"', '"kind":"engines"')],
  ])('%s', async (_what, text) => {
    await refused(await published(text));
  });

  it.each<readonly [string, (forgery: Forgery) => void]>([
    ['a table outside the medium', ({ index }) => (index.volumes[0]!.pieces.file = '../cargo-1.v0001.pieces')],
    ['a table at an absolute path', ({ index }) => (index.volumes[0]!.pieces.file = '/etc/passwd')],
    ['a table of another name', ({ index }) => (index.volumes[0]!.pieces.file = 'cargo-1.v0002.pieces')],
    ['a volume of another name', ({ index }) => (index.volumes[0]!.archive!.file = 'cargo-2.v0001.tar')],
    ['a chunk file of another name', ({ index }) => (index.volumes[0]!.chunks.file = 'bundle.json')],
    ['a volume without a tar', ({ index }) => (index.volumes[0]!.archive = null)],
    ['another format', ({ index }) => (index.format = 'directory')],
    ['volumes in another order', ({ index }) => index.volumes.reverse()],
    ['a volume twice', ({ index }) => index.volumes.push(index.volumes[0]!)],
    ['a volume that is left out', ({ index }) => index.volumes.shift()],
    ['a medium that is none', ({ index }) => (index.volumes[0]!.medium = 4)],
    ['an artifact twice', ({ index }) => index.artifacts.push(index.artifacts[0]!)],
    [
      'two artifacts with one name',
      ({ index }) =>
        (index.artifacts[1]!.name =
          index.artifacts[0]!.kind === index.artifacts[1]!.kind ? index.artifacts[0]!.name : index.artifacts[2]!.name),
    ],
    ['an artifact on a volume that there is not', ({ index }) => (index.artifacts[0]!.volumes = [1, 4])],
    [
      'an artifact whose volumes are not in order',
      ({ index }) => index.artifacts.forEach((artifact) => (artifact.volumes = [3, 1])),
    ],
    ['media that there are not', ({ index }) => (index.media = Number.MAX_SAFE_INTEGER)],
    ['an artifact on no volume', ({ index }) => (index.artifacts[0]!.volumes = [])],
    ['a group that there is not', ({ index }) => (index.artifacts[0]!.groups = ['none'])],
    ['a group twice', ({ index }) => (index.groups = [1, 2].map(() => ({ name: 'core', required: false, needs: [] })))],
    [
      'a group that needs one that there is not',
      ({ index }) => (index.groups = [{ name: 'core', required: false, needs: ['none'] }]),
    ],
  ])('with %s', async (_what, change) => {
    await refused(await forged(change));
  });
});

describe('a difference', () => {
  it('to a bundle that this site never accepted', async () => {
    const digest = `sha256:${'0'.repeat(64)}` as const;
    const out = await forged(({ index }) => (index.base = { sequence: 1, digest }));
    const { message, hint } = await place.fail(['load', out, '--site', 'site.yaml'], 14, 'bundle-older');
    expect(message + hint).toContain('cargo-1');
    expect(existsSync(place.path('files'))).toBe(false);
  });
});

describe('numbers without measure', () => {
  it('end nothing but the command', async () => {
    const out = await forged(({ index }) => {
      index.totals.bytes = Number.MAX_SAFE_INTEGER;
      index.artifacts.forEach((artifact) => (artifact.size = Number.MAX_SAFE_INTEGER));
    });
    for (const words of [
      ['inspect', out],
      ['inspect', out, '--tree'],
    ])
      await place.succeed(words);
    const { status } = await place.run(['verify', out, '--key', 'release.pub', '--json']);
    expect(status).toBe(11);
    expect(
      (await place.run(['load', join(out, 'cargo-1-1of3'), '--site', 'site.yaml', '--dry-run'])).status,
    ).toBeLessThan(13);
  });
});
