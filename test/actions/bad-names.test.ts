import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Kind } from '../../src/oci/kinds.ts';
import { noise, packed } from '../support/bundles.ts';
import { expectSafe, site, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { forge } from '../support/forge.ts';

/** Names inside a bundle that is signed by whom the site trusts: they choose neither place nor host, and obey no terminal. */
let place: Workplace;
let copies = 0;
beforeAll(async () => {
  place = await standardWorkplace();
  place.write({
    'site.yaml': site(
      'targets: [{directory: enclave/files}, {modelCache: enclave/models}, {ociLayout: enclave/oci}]\n',
    ),
  });
});
beforeEach(() => {
  for (const directory of ['enclave', 'state']) rmSync(place.path(directory), { recursive: true, force: true });
});

/** A signed bundle with a set of files of this name: titles begin with it. */
async function named(name: string, kind: Kind = 'files'): Promise<string> {
  const out = `bundle-${++copies}`;
  await packed({ out: place.path(out), cargo: { [name]: [noise(1000, 'a'), noise(10, 'b')] } });
  await forge(place.path(out, 'media'), place.path('release.key'), ({ index }) => (index.artifacts[0]!.kind = kind));
  return join(out, 'media');
}

/** Nothing was written outside the targets, nor in them. */
async function refusedBy(out: string, before: Readonly<Record<string, string>>): Promise<void> {
  for (const words of [
    ['load', out, '--site', 'site.yaml', '--dry-run'],
    ['load', out, '--site', 'site.yaml'],
  ]) {
    const { status, err, out: said } = await place.run(words);
    expect([0, 2, 11], err).toContain(status);
    expectSafe(err + said);
  }
  const after = Object.fromEntries(
    Object.entries(snapshot(place.path())).filter(([path]) => !/^(?:bundle-\d+|state)(?:\/|$)/.test(path)),
  );
  const delivered = Object.keys(after).filter((path) => !(path in before));
  for (const path of delivered) {
    expect(path).toMatch(/^enclave(?:$|\/(?:files|models|oci)(?:$|\/))/);
    expect(path).not.toMatch(/\\|(?:^|\/)(?:\.\.|\.dray-staging|con|nul)(?:\/|$)/);
  }
  expect(Object.fromEntries(Object.entries(after).filter(([path]) => path in before))).toEqual(before);
}

function state(): Readonly<Record<string, string>> {
  const found = Object.entries(snapshot(place.path()));
  return Object.fromEntries(found.filter(([path]) => !/^(?:bundle-\d+|state|enclave)(?:\/|$)/.test(path)));
}

const HOSTILE = [
  '../outside',
  '../../outside',
  '/tmp/dray-outside',
  'a/../../../outside',
  './here',
  'a//b',
  'a/',
  '.',
  '..',
  'C:/windows',
  'a\\..\\..\\b',
  'nul',
  'con.txt',
  'a./b',
  'a /b',
  '.dray-staging/x',
  '.DRAY-STAGING/x',
  'a\u0000b',
  'a\nb',
  'a\u202egnp.exe',
  '\ud800',
  'x'.repeat(300),
];

describe.each(['files', 'models'] as const)('%s that are called', (kind) => {
  it('like a file: they are delivered', async () => {
    const out = await named('plain', kind);
    await refusedBy(out, state());
    expect(existsSync(place.path('enclave', kind, 'plain'))).toBe(true);
  });

  it.each(HOSTILE)('%j', async (name) => {
    const out = await named(name, kind);
    const before = state();
    await refusedBy(out, before);
    expect(existsSync(place.path('outside'))).toBe(false);
    expect(existsSync('/tmp/dray-outside')).toBe(false);
  });
});

const SPEAKING = '\u001b[2J\u001b]0;owned\u0007\u009b31m\r\u0008\u202e\u2066';

describe('texts that speak to the terminal', () => {
  it('are shown, not obeyed, wherever they stand', async () => {
    const out = await named(`a${SPEAKING}z`, 'models');
    await forge(place.path(out), place.path('release.key'), ({ index }) => {
      index.groups = [{ name: `group${SPEAKING}`, required: false, needs: [] }];
      index.profile = `profile${SPEAKING}`;
      for (const artifact of index.artifacts)
        Object.assign(artifact, {
          from: `from${SPEAKING}`,
          groups: [`group${SPEAKING}`],
          platforms: [`linux/${SPEAKING}`],
          about: {
            ...{ revision: SPEAKING, commit: SPEAKING, licence: SPEAKING, formats: [SPEAKING] },
            ...{ parameters: { [SPEAKING]: 1 }, pickled: { count: 1, files: [SPEAKING] } },
          },
          parts: [
            { ...partOf(artifact), artifactType: `type${SPEAKING}`, note: `note${SPEAKING}`, tag: `tag${SPEAKING}` },
          ],
        });
    });
    for (const words of [
      ['inspect', out],
      ['inspect', out, '--tree'],
      ['inspect', out, '--files'],
      ['inspect', out, '--models'],
      ['inspect', out, '--key', 'release.pub', '-v'],
      ['verify', out, '--key', 'release.pub', '-v'],
      ['load', out, '--site', 'site.yaml', '-v', '--dry-run'],
      ['load', out, '--site', 'site.yaml', '-v', '--progress', 'plain'],
      ['load', out, '--site', 'site.yaml', '--group', `x${SPEAKING}`],
      ['diff', out, 'dray.yaml'],
      ['status', '--site', 'site.yaml'],
    ]) {
      const { out: said, err } = await place.run(words);
      expectSafe(said + err);
      const onTerminal = await place.run([...words, '--no-color'], { terminal: true, typed: '\n' });
      // Line ends and the erasing of dray's own progress line are its own.
      expectSafe((onTerminal.out + onTerminal.err).replaceAll(/\r\u001b\[K|\r/g, ''));
    }
  });

  it('of an audience that this site is not', async () => {
    const out = await named('a');
    await forge(place.path(out), place.path('release.key'), ({ index }) => (index.audience = [`site${SPEAKING}`]));
    expect((await place.fail(['load', out, '--site', 'site.yaml'], 14, 'bundle-audience')).message).toContain(
      '\\u001b',
    );
  });
});

describe('two artifacts that would get one name', () => {
  it('stop the load before its first byte', async () => {
    const out = `bundle-${++copies}`;
    await packed({
      out: place.path(out),
      cargo: { same: [noise(1000, 'a')], SAME: [noise(900, 'b')], other: [noise(10, 'c')] },
    });
    await forge(place.path(out, 'media'), place.path('release.key'), () => undefined);
    const { message, where } = await place.fail(
      ['load', join(out, 'media'), '--site', 'site.yaml'],
      2,
      'name-collision',
    );
    expect(message).toMatch(/same.*SAME/);
    expect(where).toMatchObject({ artifact: 'SAME' });
    expect(existsSync(place.path('enclave'))).toBe(false);
  });

  it('are found on the connected side already', async () => {
    place.write({
      'twice.yaml':
        'apiVersion: drayage/v1\nkind: Manifest\nname: twice\nmodels: [{path: weights, as: m/a}, {path: data, as: M/A}]\n',
    });
    await place.succeed(['lock', '-f', 'twice.yaml']);
    for (const words of [['lock'], ['pack', 'twice', '--unsigned']]) {
      const { where } = await place.fail([...words, '-f', 'twice.yaml', '--site', 'site.yaml'], 2, 'name-collision');
      expect(where).toMatchObject({ file: place.path('site.yaml') });
    }
    expect(existsSync(place.path('twice'))).toBe(false);
  });
});

function partOf({ mediaType, delivers, rootSize }: { mediaType: string; delivers: string; rootSize: number }): object {
  return { mediaType, digest: delivers, size: rootSize };
}
