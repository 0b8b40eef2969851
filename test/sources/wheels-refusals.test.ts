import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LINUX, pinned, wheelBench } from '../support/wheelhouses.ts';
import type { WheelBench } from '../support/wheelhouses.ts';
import { errorOf } from '../support/written-manifest.ts';

const PURE = 'demo-1.0-py3-none-any.whl';
const HASH = `--hash=sha256:${'a'.repeat(64)}`;
const FOR = 'for Python 3.12 on manylinux_2_28_x86_64';

let here: WheelBench;
beforeEach(() => {
  here = wheelBench();
});
afterEach(() => here.stop());

describe('an entry', () => {
  const req = 'requirements: requirements.txt';
  test.each([
    [`${req}, python: 3.12, platforms: win_amd64`, '', "expected the wheelhouse's name as `name` beside it"],
    [`name: w, ${req}, platforms: win_amd64`, '', 'expected a Python version as `python` beside it, found none'],
    [
      `name: w, ${req}, python: 3.12`,
      '',
      'expected wheel platforms as `platforms` beside it, since the manifest is for all',
    ],
    [`name: w, ${req}, python: 3.12`, 'platforms: all', 'since the manifest is for all'],
    [
      `name: w, ${req}, python: 3.12`,
      'platforms: [linux/amd64, linux/mips64le]',
      'since the manifest is for linux/mips64le',
    ],
    [`name: w, ${req}, python: 3.12, platforms: linux/amd64`, '', 'expected a platform tag of wheels'],
    [`name: w, ${req}, python: 2.7, platforms: win_amd64`, '', 'expected a Python version'],
    [`name: w, ${req}, python: 3.12, platforms: win_amd64, index: ftp://x/y`, '', 'expected http:// or https://'],
    [
      `name: w, ${req}, python: 3.12, platforms: win_amd64, index: "https://u:hunter2@x.example/y"`,
      '',
      'expected no login in it, found one',
    ],
    [`name: w, requirements: [], python: 3.12, platforms: win_amd64`, '', 'expected a file, found none'],
    [`name: w, requirements: gone.txt, python: 3.12, platforms: win_amd64`, '', 'gone.txt: there is no such file'],
    [`path: dist, python: 3.12`, '', 'expected it beside requirements, found it beside path'],
    [`path: dist, platforms: win_amd64`, '', 'expected it beside requirements, found it beside path'],
    [`path: dist, index: "https://x.example"`, '', 'expected it beside requirements, found it beside path'],
  ])('%s with %s', async (keys, top, reason) => {
    here.write({ 'requirements.txt': 'demo\n' });
    const error = await errorOf(() => here.entry(keys, top));
    expect(error).toMatchObject({
      code: 'manifest-invalid',
      exit: 2,
      message: expect.stringContaining(reason) as string,
    });
    expect(error.message + error.hint).not.toContain('hunter2');
    expect(error.where.line).toBeGreaterThan(4);
  });
});

describe('a requirements file', () => {
  test.each([
    [
      'itself',
      { 'requirements.txt': '-r requirements.txt\n' },
      'requirements.txt:1:1: requirements.txt: includes itself',
    ],
    [
      'itself through others',
      { 'requirements.txt': 'a\n-r b/c.txt', 'b/c.txt': '-c ../requirements.txt' },
      'b/c.txt:1:1: requirements.txt: includes itself',
    ],
    [
      'a file that is not there',
      { 'requirements.txt': '\n--requirement=gone.txt' },
      'requirements.txt:2:1: gone.txt: there is no such file',
    ],
    ['a URL', { 'requirements.txt': '-r https://x.example/r.txt' }, 'expected a local file to include, found a URL'],
    ['something that is no text', { 'requirements.txt': Buffer.from([0xff, 0xfe, 0x61, 0]) }, 'expected text in UTF-8'],
  ])('may not include %s', async (_, files, reason) => {
    here.write(files);
    expect(await errorOf(() => here.entry(LINUX))).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(reason) as string,
    });
  });

  test.each([
    [
      'one that has no hash among hashed ones',
      `a==1 ${HASH}\nb==1\n`,
      'requirements.txt:2:1: b: has no hash, while others have',
    ],
    ['no hash where hashes are demanded', '--require-hashes\nb==1\n', 'b: has no hash'],
    ['a hashed one that is not pinned', `a>=1 ${HASH}\n`, 'a: has hashes, so expected a==VERSION, found >=1'],
    ['a hashed one without a version', `a ${HASH}\n`, 'expected a==VERSION, found no version'],
    ['a hashed one by prefix', `a==1.* ${HASH}\n`, 'expected a==VERSION, found ==1.*'],
    [
      'md5 alone',
      `a==1 --hash=md5:${'a'.repeat(32)}\n`,
      'expected a hash by sha256, sha384 or sha512, found only md5, which can be forged',
    ],
    ['a hash that is none', 'a==1 --hash=sha256:abc\n', 'expected 64 hexadecimal digits behind sha256'],
    [
      'a constraint that conflicts',
      `a==2 ${HASH}\n-c limits.txt\n`,
      'requirements.txt:1: a 2 conflicts with the constraint >=1,<2 at limits.txt:2',
    ],
    [
      'two versions of one project',
      `a==1 ${HASH}\nA==2 ${HASH}\n`,
      'a: requirements.txt:1 says 1, requirements.txt:2 says 2, both for Python 3.12',
    ],
    [
      'the same twice with other hashes',
      `a==1 ${HASH}\na==1 --hash=sha256:${'b'.repeat(64)}\n`,
      'requirements.txt:1 and requirements.txt:2 have no hash in common',
    ],
    ['an editable one', '-e .\n', 'expected a published package, found an editable one'],
    ['a local path', './dist/a.whl\n', 'expected NAME==VERSION, found ./dist/a.whl'],
    ['a file URL', 'a @ file:///dist/a-1-py3-none-any.whl\n', 'expected the URL of a wheel, https://'],
    ['a repository', 'git+https://u:hunter2@x.example/a.git\n', 'expected the URL of a wheel, found git+https://'],
    [
      'what is nothing, with a login in it',
      'a b https://u:hunter2@x.example/a\n',
      'expected NAME==VERSION, found a b https://x.example/a',
    ],
    ['a source archive by URL', `a @ https://x.example/a-1.tar.gz ${HASH}\n`, 'a: expected the URL of a wheel of it'],
    [
      'a wheel of another project by URL',
      `a @ https://x.example/b-1-py3-none-any.whl ${HASH}\n`,
      'a: expected the URL of a wheel of it',
    ],
    [
      'an option that is none',
      '--delete-everything\n',
      'expected an option of requirements files, found --delete-everything',
    ],
    ['a directory of links', '--find-links ./dist\n', '--find-links: expected a URL, found ./dist'],
    ['an index that is none', `-i file:///simple\na==1 ${HASH}\n`, 'expected the address of a package index'],
    ['control characters', 'a\u001b[31m==1\n', 'expected NAME==VERSION, found a\\u001b[31m==1'],
    [
      'nothing that holds',
      `a==1 ; sys_platform == "win32" ${HASH}\n`,
      'expected something to carry, found no requirement that holds',
    ],
  ])('is refused with %s', async (_, text, reason) => {
    here.write({ 'requirements.txt': text, 'limits.txt': '# limits\na>=1,<2\n' });
    const at = here.connect({ environment: { PIP_INDEX_URL: 'http://127.0.0.1:1/simple' } });
    const error = await errorOf(() => here.lock(LINUX, at));
    expect(error.message).toContain(reason);
    expect(error).toMatchObject({ code: 'manifest-invalid', exit: 2 });
    expect(JSON.stringify(error) + error.message).not.toMatch(/hunter2|\u001b/);
  });

  test('without hashes needs uv or pip, and says what to run where neither is', async () => {
    here.write({ 'requirements.txt': 'demo>=1\n' });
    const at = here.connect({ environment: { PATH: here.directory, PIP_INDEX_URL: 'http://127.0.0.1:1/simple' } });
    expect(await errorOf(() => here.lock(LINUX, at))).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining(
        'requirements.txt:1: demo is not pinned with a hash, and neither uv nor pip is installed',
      ) as string,
      hint: expect.stringContaining(
        'uv pip compile --generate-hashes --only-binary :all: --python-version 3.12 --python-platform x86_64-manylinux_2_28 requirements.txt -o locked.txt',
      ) as string,
    });
  });

  test('without an index needs one that somebody knows', async () => {
    here.write({ 'requirements.txt': `demo==1 ${HASH}\n` });
    const at = here.connect({ environment: { PATH: here.directory } });
    expect(await errorOf(() => here.lock(LINUX, at))).toMatchObject({
      code: 'manifest-invalid',
      message: expect.stringContaining('no package index is known') as string,
    });
  });
});

describe('an index', () => {
  const page = (files: unknown[], more: object = {}): string =>
    JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'demo', files, ...more });
  const file = (filename: string, url = `/files/${filename}`, more: object = {}): object => ({
    filename,
    url,
    hashes: { sha256: 'a'.repeat(64) },
    size: 5,
    ...more,
  });

  test.each([
    ['a web page', 'text/html', '<html>Welcome</html>', 'not-found', 'no package index has a project of this name'],
    [
      'JSON of another kind',
      'application/json',
      '{"message":"hello"}',
      'upstream-invalid',
      "expected a project's page of a package index, found other JSON",
    ],
    ['JSON that is none', 'application/json', '{', 'upstream-invalid', 'says that it is JSON, and is none'],
    [
      'a key twice',
      'application/json',
      page([file(PURE)]).replace('"size":5', '"size":5,"size":6'),
      'upstream-invalid',
      'names a key twice',
    ],
    [
      'another version of the protocol',
      'application/json',
      page([], { meta: { 'api-version': '2.0' } }),
      'upstream-invalid',
      'expected a package index of version 1, found 2.0',
    ],
    [
      'another version of it in HTML',
      'text/html',
      '<meta name="pypi:repository-version" content="2.0">',
      'upstream-invalid',
      'of version 1, found 2.0',
    ],
    [
      'a hash that is none',
      'application/json',
      page([file(PURE, undefined, { hashes: { sha256: 'xyz' } })]),
      'upstream-invalid',
      'expected 64 hexadecimal digits',
    ],
    [
      'only names that lead elsewhere',
      'application/json',
      page([file(`../../${PURE}`), file(`..%2f${PURE}`), file(`C:\\${PURE}`)]),
      'not-found',
      'no package index has',
    ],
    [
      'only links of other protocols',
      'application/json',
      page([file(PURE, `file:///etc/${PURE}`), file(PURE, `javascript:${PURE}`)]),
      'not-found',
      'no package index has',
    ],
    [
      'only wheels of other projects',
      'application/json',
      page([file('evil-1.0-py3-none-any.whl')]),
      'not-found',
      'is not at',
    ],
    [
      'a link in a comment, one that never ends',
      'text/html',
      `<!-- <a href="${PURE}#sha256=${'a'.repeat(64)}">x</a> --><a href="${PURE}`,
      'not-found',
      'no package index has',
    ],
    [
      'other hashes',
      'application/json',
      page([file(PURE, undefined, { hashes: { sha256: 'b'.repeat(64) } })]),
      'upstream-moved',
      'none of its hashes is that of a wheel at',
    ],
  ])('that answers %s', async (_, type, body, code, reason) => {
    const index = await here.index([]);
    index.paths.set('/simple/demo/', (_request, response) =>
      response.writeHead(200, { 'content-type': type }).end(body),
    );
    here.write({ 'requirements.txt': `demo==1.0 ${HASH}\n` });
    expect(await errorOf(() => here.lock(`${LINUX}, index: "${index.url}"`))).toMatchObject({
      code,
      message: expect.stringContaining(reason) as string,
    });
  });

  test('whose page has 50 MB, read no further than that is known', async () => {
    const index = await here.index([]);
    let sent = 0;
    index.paths.set('/simple/demo/', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      const block = Buffer.alloc(1024 * 1024, '<a href="x">x</a> ');
      const more = (): void => {
        if (sent === 50 || response.destroyed) return void response.end();
        sent++;
        response.write(block, more);
      };
      more();
    });
    here.write({ 'requirements.txt': `demo==1.0 ${HASH}\n` });
    expect(await errorOf(() => here.lock(`${LINUX}, index: "${index.url}"`))).toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining('expected a page of at most 33554432 bytes, found more') as string,
    });
    expect(sent).toBeLessThan(50);
  });

  test.each([
    [404, 'not-found', 'no package index has a project of this name'],
    [500, 'unreachable', 'answered 500'],
    [403, 'login-refused', 'answered 403'],
  ])('that answers %i', async (status, code, reason) => {
    const index = await here.index([]);
    index.paths.set('/simple/demo/', (_, response) => response.writeHead(status).end());
    here.write({ 'requirements.txt': `demo==1.0 ${HASH}\n` });
    expect(await errorOf(() => here.lock(`${LINUX}, index: "${index.url}"`))).toMatchObject({
      code,
      message: expect.stringContaining(reason) as string,
    });
  });

  test('whose METADATA is about something else, or not what it says', async () => {
    const index = await here.index([PURE]);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    index.paths.set(`/files/${PURE}.metadata`, 'Name: evil\nVersion: 1.0\n');
    expect(await errorOf(() => here.lock(`${LINUX}, index: "${index.url}"`))).toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringContaining('its METADATA should be sha256:') as string,
    });
  });
});

describe('no wheel', () => {
  test.each([
    [
      'only source',
      ['demo-1.0.tar.gz', 'demo-0.9-py3-none-any.whl', 'demo-0.8-py3-none-any.whl'],
      '1.0',
      `has no wheel, only source; versions with a wheel ${FOR}: 0.9, 0.8`,
    ],
    [
      'only source, ever',
      ['demo-1.0.tar.gz'],
      '1.0',
      `has no wheel, only source; no version of demo has a wheel ${FOR}`,
    ],
    [
      'another platform',
      ['demo-1.0-cp312-cp312-win_amd64.whl', 'demo-0.9-py3-none-any.whl'],
      '1.0',
      `has wheels, but none ${FOR}; versions with a wheel`,
    ],
    ['another Python', ['demo-1.0-cp39-cp39-manylinux_2_17_x86_64.whl'], '1.0', `has wheels, but none ${FOR}`],
    ['a newer glibc', ['demo-1.0-cp312-cp312-manylinux_2_34_x86_64.whl'], '1.0', `has wheels, but none ${FOR}`],
    ['no such version', ['demo-2.0-py3-none-any.whl'], '1.0', '/simple/demo/; versions with a wheel'],
  ])('%s: the error lists what there is, and how to build one', async (_, files, version, reason) => {
    const index = await here.index(files);
    here.write({ 'requirements.txt': `demo==${version} ${HASH}\n` });
    expect(await errorOf(() => here.lock(`${LINUX}, index: "${index.url}"`))).toMatchObject({
      code: 'not-found',
      exit: 13,
      message: expect.stringContaining(reason) as string,
      hint: expect.stringContaining('python3.12 -m pip wheel --no-deps demo==1.0 -w dist') as string,
    });
  });

  test('where its index says that it is for another Python', async () => {
    const index = await here.index([{ file: PURE, requiresPython: '>=3.13' }]);
    here.write({ 'requirements.txt': pinned(index, 'demo==1.0', PURE) });
    expect(await errorOf(() => here.lock(`${LINUX}, index: "${index.url}"`))).toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('has wheels, but none') as string,
    });
  });
});
