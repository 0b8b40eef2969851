import { chmodSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { wheelRequirementsSource } from '../../src/sources/wheels/requirements.ts';
import { missing, program } from '../support/programs.ts';
import type { TestBench } from '../support/source-environment.ts';
import { wheelBench, wheelsOf } from '../support/wheelhouses.ts';
import type { WheelBench } from '../support/wheelhouses.ts';
import type { WheelIndex } from '../support/wheel-index.ts';
import { errorOf } from '../support/written-manifest.ts';

const SECRET = 'open-sesame';
const FILES = [
  { file: 'demo-1.0-py3-none-any.whl', requires: ['base'] },
  {
    file: 'demo-1.1-py3-none-any.whl',
    requires: ['base>=1', 'win-only; sys_platform=="win32"', 'old-only; python_version<"3.10"', 'socks; extra=="s"'],
  },
  { file: 'demo-2.0a1-py3-none-any.whl' },
  ...[
    'base-1.0-cp312-cp312-manylinux_2_17_x86_64.whl',
    'base-1.0-cp39-cp39-win_amd64.whl',
    'base-1.1-cp312-cp312-manylinux_2_17_x86_64.whl',
  ].map((file) => ({ file })),
  ...['win_only-1.0-py3-none-any.whl', 'old_only-1.0-py3-none-any.whl', 'socks-1.0-py3-none-any.whl'].map((file) => ({
    file,
  })),
  { file: 'source-1.0.tar.gz' },
];

const TOOLS = ['uv', 'python3'] as const;

/** Only this tool is on the PATH, whatever else this machine has: a program of ours that runs it. */
function connectWith(tool: (typeof TOOLS)[number], here: WheelBench): TestBench {
  const path = `${dirname(program('python3') ?? '')}:/usr/bin:/bin`;
  here.write({ [`bin/${tool}`]: `#!/bin/sh\nPATH="${path}" exec "${program(tool) ?? ''}" "$@"\n` });
  chmodSync(join(here.directory, 'bin', tool), 0o755);
  const cache = { UV_CACHE_DIR: join(here.directory, 'cache'), PIP_NO_CACHE_DIR: '1' };
  const netrc = `machine 127.0.0.1 login ada password ${SECRET}\n`;
  return here.connect({ netrc, environment: { PATH: join(here.directory, 'bin'), ...cache } });
}

describe.each(TOOLS)('requirements without hashes, through %s', (tool) => {
  const lacking = missing(tool);
  if (lacking !== '') {
    test.skip(`are resolved${lacking}`, () => undefined);
    return;
  }
  let here: WheelBench;
  let index: WheelIndex;
  beforeEach(async () => {
    here = wheelBench();
    index = await here.index(FILES, { login: `ada:${SECRET}` });
  });
  afterEach(() => here.stop());

  const connect = (): TestBench => connectWith(tool, here);
  const keys = (more = 'python: 3.12, platforms: manylinux_2_28_x86_64'): string =>
    `name: w, requirements: requirements.txt, index: "${index.url}", ${more}`;

  test('are resolved for the target, once, into hashed pins, by the login of netrc', { timeout: 60_000 }, async () => {
    here.write({
      'requirements.txt': 'demo[s]>=1\nwin-only ; sys_platform == "win32"\n-c limits.txt\n',
      'limits.txt': 'base<1.1\n',
    });
    const at = connect();
    const locked = await here.lock(keys(), at);
    expect(wheelsOf(locked)).toEqual([
      'base-1.0-cp312-cp312-manylinux_2_17_x86_64.whl',
      'demo-1.1-py3-none-any.whl',
      'socks-1.0-py3-none-any.whl',
    ]);
    expect(at.events.filter(({ type }) => type === 'warning')).toEqual([]);
    expect(await here.refetch(locked, at)).toEqual([]);
    expect(JSON.stringify([locked, at.events])).not.toContain(SECRET);
  });

  test('for another Python on another system come to other wheels', { timeout: 60_000 }, async () => {
    here.write({ 'requirements.txt': 'demo==1.1\n' });
    const locked = await here.lock(keys('python: 3.9, platforms: win_amd64'), connect());
    expect(wheelsOf(locked)).toEqual([
      'base-1.0-cp39-cp39-win_amd64.whl',
      'demo-1.1-py3-none-any.whl',
      'old_only-1.0-py3-none-any.whl',
      'win_only-1.0-py3-none-any.whl',
    ]);
  });

  test(
    'that have no solution are an error in the words of the tool, without a login',
    { timeout: 60_000 },
    async () => {
      here.write({ 'requirements.txt': 'demo>=9\n' });
      const at = connect();
      const env = { ...at.env, environment: { ...at.env.environment, PIP_INDEX_URL: '' } };
      const entry = await here.entry(keys());
      const withLogin = { ...entry, index: [index.url.replace('://', `://ada:${SECRET}@`)] };
      const error = await errorOf(() => wheelRequirementsSource.resolve(withLogin, at.store, env));
      expect(error).toMatchObject({ code: 'manifest-invalid', exit: 2, where: { line: 5 } });
      expect(error.message).toMatch(/no solution for Python 3\.12 on manylinux_2_28_x86_64: (?:uv|pip) says: .*demo/);
      expect(error.message + error.hint).not.toContain(SECRET);
    },
  );

  test('of a package that is only source are an error', { timeout: 60_000 }, async () => {
    here.write({ 'requirements.txt': 'source\n' });
    const error = await errorOf(() => here.lock(keys(), connect()));
    expect(error).toMatchObject({ code: 'manifest-invalid', message: expect.stringContaining('source') as string });
    expect(error.hint).toContain('only wheels are taken');
  });

  test('leave nothing behind on this machine', { timeout: 60_000 }, async () => {
    const before = new Set(readdirSync(tmpdir()));
    here.write({ 'requirements.txt': 'demo\n' });
    await here.lock(keys(), connect());
    const left = readdirSync(tmpdir()).filter(
      (name) => !before.has(name) && name.startsWith('dray-') && existsSync(join(tmpdir(), name, 'requirements.in')),
    );
    expect(left).toEqual([]);
  });
});

describe('through uv', () => {
  const lacking = missing('uv');
  test.skipIf(lacking !== '')(
    `pins move no further than a change makes them, unless that is meant${lacking}`,
    { timeout: 60_000 },
    async () => {
      const here = wheelBench();
      const index = await here.index(FILES);
      const keys = `name: w, requirements: requirements.txt, python: 3.12, platforms: manylinux_2_28_x86_64, index: "${index.url}"`;
      here.write({ 'requirements.txt': 'demo<1.1\n' });
      const at = connectWith('uv', here);
      const first = await here.lock(keys, at);
      here.write({ 'requirements.txt': 'demo<2\nsocks\n' });
      const entry = await here.entry(keys);
      const [kept] = await wheelRequirementsSource.resolve(entry, at.store, { ...at.env, previous: [first] });
      expect(wheelsOf(kept!)).toContain('demo-1.0-py3-none-any.whl');
      const [moved] = await wheelRequirementsSource.resolve(entry, at.store, {
        ...at.env,
        previous: [first],
        upgrade: true,
      });
      expect(wheelsOf(moved!)).toContain('demo-1.1-py3-none-any.whl');
      await here.stop();
    },
  );
});

test('the public index is known to nobody but pip and uv: no file of dray names it', () => {
  const sources = join(import.meta.dirname, '../../src/sources/wheels');
  const text = readdirSync(sources)
    .map((file) => readFileSync(join(sources, file), 'utf8'))
    .join('\n');
  expect(text).not.toMatch(/https?:\/\/(?!HOST|host)[a-z]/);
});
