import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { filesOf } from '../../src/oci/artifact.ts';
import { WHEEL, WHEELHOUSE } from '../../src/oci/media-types.ts';
import { wheelRequirementsSource } from '../../src/sources/wheels/requirements.ts';
import { startServer } from '../support/loopback-server.ts';
import { readDocuments } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';
import { LINUX, pinned, wheelBench, wheelsOf } from '../support/wheelhouses.ts';
import type { WheelBench } from '../support/wheelhouses.ts';
import { sha256Of, wheelBytes } from '../support/wheels.ts';

const PURE = 'demo-1.0-py3-none-any.whl';
const tagged = (tags: string, name = 'demo', version = '1.0'): string => `${name}-${version}-${tags}.whl`;
const X86 = tagged('cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64');
const ARM = tagged('cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64');
const ALL = [
  ...[X86, ARM, tagged('cp313-cp313-manylinux_2_28_x86_64'), tagged('cp312-cp312-manylinux_2_34_x86_64')],
  ...[
    tagged('cp38-abi3-musllinux_1_2_x86_64'),
    tagged('cp312-cp312-macosx_11_0_arm64'),
    tagged('cp312-cp312-win_amd64'),
  ],
];

let here: WheelBench;
beforeEach(() => {
  here = wheelBench();
});
afterEach(() => here.stop());

const warnings = ({ events }: TestBench): readonly string[] =>
  events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));

describe.each(['json', 'html'] as const)('hashed requirements, an index that speaks %s', (style) => {
  test('come to one artifact of wheels, by file name, pinned without a byte of them', async () => {
    const index = await here.index(
      [
        { file: PURE, requiresPython: '>=3.9', requires: ['other>1; python_version<"3.10"'] },
        'other_one-2.0-py3-none-any.whl',
      ],
      { style },
    );
    here.write({
      'requirements.txt':
        pinned(index, 'Demo==1.0', PURE) + pinned(index, 'other.one == 2', 'other_one-2.0-py3-none-any.whl'),
    });
    const at = here.connect();
    const locked = await here.lock(`${LINUX}, index: "${index.url}/"`, at);
    expect(locked).toMatchObject({ kind: 'wheels', name: 'w', from: 'requirements.txt', indexes: [index.url] });
    expect(locked.blobs.filter(({ title }) => title !== undefined)).toEqual([
      {
        digest: `sha256:${index.hexOf(PURE)}`,
        size: index.bytesOf(PURE).length,
        mediaType: WHEEL,
        title: PURE,
        url: `http://${index.host}/files/${PURE}`,
        requiresPython: '>=3.9',
      },
      expect.objectContaining({ title: 'other_one-2.0-py3-none-any.whl' }),
    ]);
    expect(index.asked.filter((request) => /^GET .*whl$/.test(request))).toEqual([]);
    const documents = await readDocuments(locked, at.store);
    expect(documents).toMatchObject([{ artifactType: WHEELHOUSE }]);
    expect(filesOf(documents)[0]?.descriptor.annotations).toMatchObject({ 'dev.drayage.requires-python': '>=3.9' });
    expect(await here.refetch(locked)).toEqual([]);
    expect(warnings(at)).toEqual([]);
  });

  test.each([
    ['3.12', 'manylinux_2_28_x86_64', X86],
    ['3.12', 'manylinux_2_34_x86_64', 'demo-1.0-cp312-cp312-manylinux_2_34_x86_64.whl'],
    ['3.13', 'manylinux_2_28_x86_64', 'demo-1.0-cp313-cp313-manylinux_2_28_x86_64.whl'],
    ['3.12', 'manylinux2014_aarch64', ARM],
    ['3.11', 'musllinux_1_2_x86_64', 'demo-1.0-cp38-abi3-musllinux_1_2_x86_64.whl'],
    ['3.12', 'macosx_14_0_arm64', 'demo-1.0-cp312-cp312-macosx_11_0_arm64.whl'],
    ['3.12', 'win_amd64', 'demo-1.0-cp312-cp312-win_amd64.whl'],
  ])('of the wheels of a version take the one for Python %s on %s', async (python, platform, expected) => {
    const index = await here.index(ALL, { style });
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', ...ALL) });
    const locked = await here.lock(
      `name: w, requirements: requirements.txt, python: ${python}, platforms: ${platform}, index: "${index.url}"`,
    );
    expect(wheelsOf(locked)).toEqual([expected]);
  });
});

describe('which wheels', () => {
  test('several Pythons and platforms are all of them together, each file once', async () => {
    const index = await here.index([...ALL, 'pure-1.0-py3-none-any.whl']);
    here.write({
      'requirements.txt': pinned(index, 'demo==1.0', ...ALL) + pinned(index, 'pure==1.0', 'pure-1.0-py3-none-any.whl'),
    });
    const locked = await here.lock(
      `name: w, requirements: requirements.txt, python: [3.12, 3.13], platforms: [manylinux_2_28_x86_64], index: "${index.url}"`,
    );
    expect(wheelsOf(locked)).toEqual(
      [X86, 'demo-1.0-cp313-cp313-manylinux_2_28_x86_64.whl', 'pure-1.0-py3-none-any.whl'].sort(),
    );
  });

  test('without platforms of their own they are for those of the manifest', async () => {
    const index = await here.index(ALL);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', ...ALL) });
    const keys = `name: w, requirements: requirements.txt, python: 3.12, index: "${index.url}"`;
    const locked = await here.lock(keys, here.connect(), 'platforms: [linux/amd64, linux/arm64]');
    expect(wheelsOf(locked)).toEqual([X86, ARM].sort());
    expect(locked.asked).toMatchObject({ platforms: ['manylinux_2_28_x86_64', 'manylinux_2_28_aarch64'] });
  });

  test('the highest build number goes first, then nothing else matters', async () => {
    const builds = ['demo-1.0-py3-none-any.whl', 'demo-1.0-2-py3-none-any.whl', 'demo-1.0-10-py3-none-any.whl'];
    const index = await here.index(builds);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', ...builds) });
    expect(wheelsOf(await here.lock(`${LINUX}, index: "${index.url}"`))).toEqual(['demo-1.0-10-py3-none-any.whl']);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', builds[1]!) });
    expect(wheelsOf(await here.lock(`${LINUX}, index: "${index.url}"`))).toEqual([builds[1]]);
  });

  test('markers hold for the target, not for this machine', async () => {
    const files = ['a-1-py3-none-any.whl', 'b-1-py3-none-any.whl', 'c-1-py3-none-any.whl'];
    const index = await here.index(files);
    here.write({
      'requirements.txt': [
        pinned(index, 'a==1 ; sys_platform == "win32" and python_version < "3.9"', files[0]!),
        pinned(index, "b==1; platform_machine=='ARM64' or os_name=='posix'", files[1]!),
        pinned(index, 'c==1 ; sys_platform != "win32"', files[2]!),
      ].join(''),
    });
    const keys = (rest: string): string => `name: w, requirements: requirements.txt, index: "${index.url}", ${rest}`;
    expect(wheelsOf(await here.lock(keys('python: 3.8, platforms: win_amd64')))).toEqual([files[0]]);
    expect(wheelsOf(await here.lock(keys('python: 3.13, platforms: win_arm64')))).toEqual([files[1]]);
    expect(wheelsOf(await here.lock(keys('python: 3.13, platforms: macosx_11_0_arm64')))).toEqual(files.slice(1));
  });

  test('a local version is one of its own, and its plus travels well', async () => {
    const file = 'torch-2.6.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl';
    const index = await here.index([file, 'torch-2.6.0-cp312-cp312-manylinux_2_28_x86_64.whl']);
    here.write({ 'requirements.txt': pinned(index, 'torch==2.6.0+cu126', file) });
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`);
    expect(wheelsOf(locked)).toEqual([file]);
    expect(locked.blobs.at(-1)?.url).toContain('torch-2.6.0%2Bcu126-cp312');
    expect(await here.refetch(locked)).toEqual([]);
  });

  test('what was withdrawn is carried where it is pinned, and told', async () => {
    const index = await here.index([{ file: PURE, yanked: 'broken on\u0007 Tuesdays' }]);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const at = here.connect();
    await here.lock(`${LINUX}, index: "${index.url}"`, at);
    expect(warnings(at)).toEqual([
      `${PURE}: was withdrawn by its publisher: broken on\\u0007 Tuesdays; it is carried because it is pinned`,
    ]);
  });

  test('what a set lacks that its wheels need is told, with their extras', async () => {
    const index = await here.index([
      {
        file: PURE,
        requires: [
          'base>=2',
          'gone; sys_platform=="linux"',
          'win; sys_platform=="win32"',
          'socks; extra=="s"',
          'more; extra=="t"',
        ],
      },
      'base-1.0-py3-none-any.whl',
    ]);
    here.write({
      'requirements.txt': pinned(index, 'demo[S]==1.0', PURE) + pinned(index, 'base==1.0', 'base-1.0-py3-none-any.whl'),
    });
    const at = here.connect();
    await here.lock(`${LINUX}, index: "${index.url}"`, at);
    expect(warnings(at)).toEqual([
      `${PURE} needs base>=2, but 1.0 is what there is for Python 3.12 on manylinux_2_28_x86_64`,
      `${PURE} needs gone, which is not among the wheels for Python 3.12 on manylinux_2_28_x86_64`,
      `${PURE} needs socks, which is not among the wheels for Python 3.12 on manylinux_2_28_x86_64`,
    ]);
  });
});

describe('files of requirements', () => {
  test('include others, and constraints, wherever they lie; options hold', async () => {
    const files = ['a-1-py3-none-any.whl', 'b-2-py3-none-any.whl'];
    const index = await here.index(files);
    here.write({
      'req/all.txt': `# everything\r\n--index-url ${index.url}\r\n-r more/b.txt\r\n-c limits.txt\r\n${pinned(index, 'a==1', files[0]!)}`,
      'req/more/b.txt': pinned(index, 'b==2', files[1]!),
      'req/limits.txt': 'a<2\nc==1\n',
    });
    const locked = await here.lock('name: w, requirements: [req/all.txt], python: 3.12, platforms: win_amd64');
    expect(wheelsOf(locked)).toEqual(files);
    expect(locked).toMatchObject({ indexes: [index.url], asked: { requirements: ['req/all.txt'] } });
  });

  test.each(['req.txt', 'more.txt', 'limits.txt'])(
    'shape the lock: a change of %s is a change of what is asked',
    async (changed) => {
      const files: Record<string, string> = {
        'req.txt': '-r more.txt\n-climits.txt\n',
        'more.txt': 'a\n',
        'limits.txt': 'a<2\n',
      };
      here.write(files);
      const keys = 'name: w, requirements: req.txt, python: 3.12, platforms: win_amd64';
      const before = (await here.entry(keys)).asked;
      expect((await here.entry(keys)).asked).toEqual(before);
      here.write({ [changed]: `${files[changed]}# more\n` });
      expect((await here.entry(keys)).asked).not.toEqual(before);
    },
  );

  test('name a wheel by its URL, with and without a name before it', async () => {
    const index = await here.index([PURE, 'other-1.0-py3-none-any.whl']);
    const url = (file: string): string => `http://${index.host}/files/${file}`;
    here.write({
      'requirements.txt': `demo[x] @ ${url(PURE)}#sha256=${index.hexOf(PURE)} ; python_version > "3"\n${url('other-1.0-py3-none-any.whl')} --hash sha256:${index.hexOf('other-1.0-py3-none-any.whl')}\n--no-index\n`,
    });
    const locked = await here.lock(LINUX);
    expect(wheelsOf(locked)).toEqual([PURE, 'other-1.0-py3-none-any.whl']);
    expect(index.asked.filter((request) => request.includes('/simple/'))).toEqual([]);
    expect(await here.refetch(locked)).toEqual([]);
  });

  test('pages of links are looked at too', async () => {
    const index = await here.index([PURE]);
    index.paths.set(
      '/links.html',
      `<!-- <a href="evil"> --><base href="/files/"><A HREF='${PURE}#sha256=${index.hexOf(PURE)}'>x</A>`,
    );
    here.write({
      'requirements.txt': `--no-index\n--find-links http://${index.host}/links.html\n${pinned(index, 'demo==1.0', PURE)}`,
    });
    const locked = await here.lock(LINUX);
    expect(locked.blobs.at(-1)?.url).toBe(`http://${index.host}/files/${PURE}`);
  });
});

describe('several indexes', () => {
  const BUILD_2 = 'demo-1.0-2-py3-none-any.whl';

  test('the first that has a package wins, whatever the second has of it', async () => {
    const [first, second] = [
      await here.index([PURE]),
      await here.index([{ file: PURE, payload: Buffer.from('forged') }, BUILD_2, 'other-1.0-py3-none-any.whl']),
    ];
    here.write({
      'requirements.txt': pinned(first, 'demo==1.0', PURE) + pinned(second, 'other==1.0', 'other-1.0-py3-none-any.whl'),
    });
    const locked = await here.lock(`${LINUX}, index: ["${first.url}", "${second.url}"]`);
    expect(locked.blobs.flatMap(({ url }) => url ?? [])).toEqual([
      `http://${first.host}/files/${PURE}`,
      `http://${second.host}/files/other-1.0-py3-none-any.whl`,
    ]);
    expect(second.asked).not.toContain('GET /simple/demo/');
    here.write({ 'requirements.txt': pinned(second, 'demo==1.0', BUILD_2) });
    await expect(here.lock(`${LINUX}, index: ["${first.url}", "${second.url}"]`)).rejects.toMatchObject({
      code: 'upstream-moved',
      hint: expect.stringContaining('the first index that has a package is the only one') as string,
    });
  });

  test("pip's own settings are the default: extra indexes go first", async () => {
    const [usual, extra] = [await here.index([PURE, 'other-1.0-py3-none-any.whl']), await here.index([PURE])];
    here.write({
      'requirements.txt': pinned(usual, 'demo==1.0', PURE) + pinned(usual, 'other==1.0', 'other-1.0-py3-none-any.whl'),
      'pip.conf': `[global]\nindex-url = ${usual.url}\n[install]\nextra-index-url =\n    ${extra.url}\n# none\n`,
    });
    const locked = await here.lock(
      LINUX,
      here.connect({ environment: { PIP_CONFIG_FILE: `${here.directory}/pip.conf` } }),
    );
    expect(locked.indexes).toEqual([extra.url, usual.url]);
    expect(usual.asked.filter((request) => request.startsWith('GET /simple/'))).toEqual(['GET /simple/other/']);
    const by = await here.lock(LINUX, here.connect({ environment: { PIP_INDEX_URL: `${usual.url}/` } }));
    expect(by.indexes).toEqual([usual.url]);
  });
});

describe('logins', () => {
  const SECRET = 'open-sesame';
  const login = `ada:${SECRET}`;
  const said = (...things: unknown[]): string => JSON.stringify(things);

  test('come from netrc, and stay with the index: another host that it names gets none', async () => {
    const elsewhere = await here.index([PURE]);
    const url = `${elsewhere.url.replace('/simple', '').replace('127.0.0.1', 'localhost')}/files/${PURE}`;
    const index = await here.index([{ file: PURE, url }], { login });
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const netrc = ['127.0.0.1', 'localhost'].map((host) => `machine ${host} login ada password ${SECRET}\n`).join('');
    const at = here.connect({ netrc });
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`, at);
    expect(await here.refetch(locked, at)).toEqual([]);
    expect(index.asked.every((request) => request.endsWith('authorized'))).toBe(true);
    expect(elsewhere.asked.filter((request) => request.endsWith('authorized'))).toEqual([]);
    expect(elsewhere.asked).toContain(`GET /files/${PURE}`);
    expect(said(locked, at.events)).not.toContain(SECRET);
  });

  test("come from the URL in pip's settings, at lock and at fetch, and stand in no lock", async () => {
    const index = await here.index([PURE], { login });
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const at = here.connect({ environment: { PIP_INDEX_URL: index.url.replace('://', `://${login}@`) } });
    const locked = await here.lock(LINUX, at);
    expect(await here.refetch(locked, at)).toEqual([]);
    expect(said(locked, at.events)).not.toContain(SECRET);
  });

  test('come from a variable in the requirements file', async () => {
    const index = await here.index([PURE], { login });
    here.write({
      'requirements.txt': `-i ${index.url.replace('://', '://ada:${TOKEN}@')}\n${pinned(index, 'demo==1.0', PURE)}`,
    });
    const at = here.connect({ environment: { TOKEN: SECRET } });
    const locked = await here.lock(LINUX, at);
    expect(await here.refetch(locked, at)).toEqual([]);
    expect(said(locked, at.events)).not.toContain(SECRET);
  });

  test('of a wheel that is named by its URL are those of its own host', async () => {
    const [index, elsewhere] = [await here.index([]), await here.index([PURE], { login })];
    const url = `http://${elsewhere.host}/files/${PURE}`;
    here.write({
      'requirements.txt': `demo @ ${url.replace('127.0.0.1', 'localhost')} --hash=sha256:${elsewhere.hexOf(PURE)}\n`,
    });
    const at = here.connect({ netrc: `machine localhost login ada password ${SECRET}\n` });
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`, at);
    expect(await here.refetch(locked, at)).toEqual([]);
    expect(said(locked)).not.toContain(SECRET);
  });

  test('that are refused are an error without them', async () => {
    const index = await here.index([PURE], { login });
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const at = here.connect({ environment: { PIP_INDEX_URL: index.url.replace('://', '://ada:wrong-word@') } });
    const failure: unknown = await here.lock(LINUX, at).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'login-refused', exit: 16 });
    expect(`${String(failure)}${said(failure, at.events)}`).not.toContain('wrong-word');
  });
});

test('an index behind a mirror is named as everybody names it', async () => {
  const index = await here.index([PURE]);
  here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
  const at = here.connect({ upstreams: new Map([['wheels.example', { mirror: `http://${index.host}` }]]) });
  const locked = await here.lock(`${LINUX}, index: https://wheels.example/simple`, at);
  expect(JSON.stringify(locked)).not.toContain('127.0.0.1');
  expect(locked.blobs.at(-1)?.url).toBe(`https://wheels.example/files/${PURE}`);
  expect(await here.refetch(locked, at)).toEqual([]);
});

describe('a wheel without a SHA-256 at its index', () => {
  test.each([
    ['none at all', null],
    ['md5 alone, which is as good as none', `md5=${'0'.repeat(32)}`],
  ])('(%s) is streamed once, and must have a hash that is wanted', async (_, hash) => {
    const index = await here.index([{ file: PURE, hash, metadata: false }], { style: 'html' });
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const at = here.connect();
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`, at);
    expect(locked.blobs.at(-1)?.digest).toBe(`sha256:${index.hexOf(PURE)}`);
    expect(index.asked.filter((request) => request === `GET /files/${PURE}`)).toHaveLength(1);
    here.write({ 'requirements.txt': `demo==1.0 --hash=sha256:${'b'.repeat(64)}\n` });
    await expect(here.lock(`${LINUX}, index: "${index.url}"`)).rejects.toMatchObject({ code: 'upstream-moved' });
  });

  test('longer hashes are checked while it is streamed', async () => {
    const { createHash } = await import('node:crypto');
    const hex = createHash('sha512').update(wheelBytes(PURE)).digest('hex');
    const index = await here.index([PURE]);
    here.write({ 'requirements.txt': `demo==1.0 --hash=sha512:${hex}\n` });
    expect((await here.lock(`${LINUX}, index: "${index.url}"`)).blobs.at(-1)?.digest).toBe(
      `sha256:${index.hexOf(PURE)}`,
    );
    here.write({ 'requirements.txt': `demo==1.0 --hash=sha512:${'a'.repeat(128)}\n` });
    await expect(here.lock(`${LINUX}, index: "${index.url}"`)).rejects.toMatchObject({
      code: 'upstream-moved',
      message: expect.stringContaining('none of the hashes') as string,
    });
  });
});

describe('fetch', () => {
  test('looks a wheel up again whose URL is gone; the digest decides', async () => {
    const index = await here.index([PURE]);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`);
    const moved = {
      ...locked,
      blobs: locked.blobs.map((blob) =>
        blob.url === undefined ? blob : { ...blob, url: `http://${index.host}/old/${PURE}` },
      ),
    };
    expect(await here.refetch(moved)).toEqual([]);
    index.paths.set('/simple/demo/', `<a href="/x/${PURE}#sha256=${'b'.repeat(64)}">`);
    await expect(here.refetch(moved)).rejects.toMatchObject({ code: 'upstream-moved', exit: 13 });
  });

  test.each([
    ['others of the same length', (bytes: Buffer) => Buffer.from(bytes).fill(0, 0, 4), 'upstream-moved'],
    ['a wheel that is cut off', (bytes: Buffer) => bytes.subarray(0, -20), 'upstream-moved'],
    ['a longer one', (bytes: Buffer) => Buffer.concat([bytes, bytes]), 'upstream-moved'],
  ])('refuses other bytes: %s, and keeps nothing', async (_, damage, code) => {
    const index = await here.index([PURE]);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const at = here.connect();
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`, at);
    index.paths.set(`/files/${PURE}`, damage(index.bytesOf(PURE)));
    await expect(here.refetch(locked, at, at.store)).rejects.toMatchObject({ code });
    expect(await at.store.has(locked.blobs.at(-1)!)).toBe(false);
  });

  test('refuses a body that breaks off', async () => {
    const index = await here.index([PURE]);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`);
    index.paths.set(`/files/${PURE}`, (_, response) => {
      response.writeHead(200, { 'content-length': String(index.bytesOf(PURE).length) });
      response.write(index.bytesOf(PURE).subarray(0, 10), () => response.destroy());
    });
    await expect(here.refetch(locked)).rejects.toMatchObject({ code: 'unreachable', exit: 16 });
  });

  test('looks into each wheel: one that says to be another is refused', async () => {
    const bytes = wheelBytes(PURE, { name: 'evil' });
    const index = await here.index([{ file: PURE, bytes }]);
    here.write({ 'requirements.txt': `demo==1.0 --hash=sha256:${sha256Of(bytes)}\n` });
    const locked = await here.lock(`${LINUX}, index: "${index.url}"`);
    await expect(here.refetch(locked)).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining('found evil 1.0') as string,
    });
  });

  test('takes no login along to where a redirect leads', async () => {
    const seen: (string | undefined)[] = [];
    const index = await here.index([PURE], { login: 'ada:word' });
    const store = await startServer(({ headers }, response) => {
      seen.push(headers.authorization);
      response.end(index.bytesOf(PURE));
    });
    index.paths.set(`/files/${PURE}`, (_, response) => response.writeHead(302, { location: store.url }).end());
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    const at = here.connect({ netrc: 'machine 127.0.0.1 login ada password word\n' });
    expect(await here.refetch(await here.lock(`${LINUX}, index: "${index.url}"`, at), at)).toEqual([]);
    await store.stop();
    expect(seen).toEqual([undefined]);
  });
});

test('pages are asked for many at a time, each once, and METADATA only where there is one', async () => {
  const files = Array.from({ length: 40 }, (_, i) => `p${i}-1.0-py3-none-any.whl`);
  let open = 0;
  let most = 0;
  const index = await here.index([...files.slice(1), { file: files[0]!, metadata: false }]);
  for (const i of files.keys())
    index.paths.set(`/simple/p${i}/`, (_, response) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end(
            `<a href="/files/${files[i]}#sha256=${index.hexOf(files[i]!)}" ${i === 0 ? '' : 'data-core-metadata=true'}>`,
          );
      }, 20);
    });
  here.write({ 'requirements.txt': files.map((file, i) => pinned(index, `p${i}==1.0`, file)).join('') });
  const locked = await here.lock(
    `name: w, requirements: requirements.txt, python: [3.12, 3.13], platforms: [win_amd64, manylinux_2_28_x86_64], index: "${index.url}"`,
  );
  expect(wheelsOf(locked)).toHaveLength(40);
  expect(most).toBeGreaterThan(8);
  const count = (pattern: RegExp): number => index.asked.filter((request) => pattern.test(request)).length;
  expect([count(/^GET \/simple/), count(/^GET .*\.metadata$/), count(/^HEAD/)]).toEqual([40, 39, 40]);
});

test('doctor is told which indexes would be asked', async () => {
  here.write({ 'requirements.txt': 'a\n' });
  const entry = await here.entry(`${LINUX}, index: ["https://one.example/simple/", "https://two.example"]`);
  expect(wheelRequirementsSource.upstreams?.(entry, {})).toEqual([
    { type: 'url', url: 'https://one.example/simple/' },
    { type: 'url', url: 'https://two.example/' },
  ]);
});
