import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectSafe, manifest, workplace } from '../support/enclave.ts';
import type { Failed } from '../support/enclave.ts';

/** A manifest that must be refused: its lines behind the first three, and where the error stands. */
async function refused(rest: string, line: number, column?: number): Promise<Failed> {
  const place = workplace();
  place.write({ 'dray.yaml': manifest('cargo', rest), 'data/a.txt': 'a' });
  const failed = await place.fail(['lock'], 2, 'manifest-invalid');
  expect(failed.where).toMatchObject({
    file: place.path('dray.yaml'),
    line,
    ...(column === undefined ? {} : { column }),
  });
  expect(failed.message).toContain(`dray.yaml:${line}:`);
  expect(existsSync(place.path('dray.lock'))).toBe(false);
  await place.fail(['pack', 'out', '--unsigned'], 2, 'manifest-invalid');
  expect(existsSync(place.path('out'))).toBe(false);
  return failed;
}

describe('a manifest', () => {
  it('with an unknown key', async () => {
    const { message } = await refused('files:\n  - {path: data, gruop: core}\n', 5);
    expect(message).toMatch(/unknown key gruop, did you mean group\?/);
  });

  it('with an unknown key at the top', async () => {
    expect((await refused('modles: []\n', 4, 1)).message).toContain('did you mean models?');
  });

  it('with two origins in one entry', async () => {
    const { message } = await refused('files:\n  - path: data\n    url: https://files.example/a\n', 5);
    for (const origin of ['path', 'url']) expect(message).toContain(origin);
  });

  it('with no origin', async () => {
    const { message } = await refused('files:\n  - as: data\n', 5);
    for (const origin of ['path', 'url', 'ngc', 'hf']) expect(message).toContain(origin);
  });

  it('with a file that is not there', async () => {
    expect((await refused('files: [data/b.txt]\n', 4)).message).toContain('data/b.txt');
    expect((await refused('models:\n  - path: nowhere\n', 5)).message).toContain('nowhere');
    expect((await refused('images:\n  - path: vendor/images.tar\n', 5)).message).toContain('vendor/images.tar');
    expect((await refused('charts: [{path: charts/app}]\n', 4)).message).toContain('charts/app');
    expect((await refused('include: other.yaml\n', 4)).message).toContain('other.yaml');
  });

  it('with the same artifact twice', async () => {
    expect((await refused('files:\n  - data\n  - data\n', 6)).message).toMatch(/:5\b|line 5/);
  });

  it('with a group that nothing names', async () => {
    expect((await refused('groups: {core: {}}\nfiles: [{path: data, group: cor}]\n', 5)).message).toContain('cor');
  });

  it('with a variable that is not set', async () => {
    expect((await refused('files: ["${NOWHERE}/a"]\n', 4)).message).toContain('NOWHERE');
  });

  it('with a key twice', async () => {
    await refused('files: [data]\nfiles: []\n', 5, 1);
  });
});

describe('names', () => {
  it('that two artifacts would share, and say which', async () => {
    const place = workplace();
    place.write({
      'dray.yaml': manifest('cargo', 'models:\n  - {path: one, as: same/model}\n  - {path: two, as: same/model}\n'),
      'one/a.txt': 'a',
      'two/a.txt': 'b',
    });
    const { message } = await place.fail(['lock'], 2, 'name-collision');
    for (const part of ['same/model', 'one', 'two']) expect(message).toContain(part);
    expect(existsSync(place.path('dray.lock'))).toBe(false);
  });

  it('that speak to the terminal are shown, not obeyed', async () => {
    const place = workplace();
    place.write({
      'dray.yaml': manifest('cargo', '"\\e[2Jfiles": []\nfiles: ["data/\\e[2Jb"]\n'),
    });
    expect((await place.fail(['lock'], 2, 'manifest-invalid')).message).toContain('\\u001b[2Jfiles');
    place.write({ 'dray.yaml': manifest('cargo', 'files: ["data/\\e[2Jb\\n"]\n') });
    await place.fail(['lock'], 2, 'manifest-invalid');
    place.write({ 'data/\u001b[2Jb\n': 'x' });
    const { status, err, out } = await place.run(['lock']);
    expect(status).toBe(2);
    expectSafe(err + out);
  });
});

describe('what is known but not there yet', () => {
  it.each([
    ['nim', 'models: [{nim: "nvcr.io/nim/a:1"}]\n'],
    ['tao', 'models: [{tao: models.csv}]\n'],
    ['extract', 'files: [{ngc: "org/a:1", extract: true}]\n'],
  ])('%s', async (_key, rest) => {
    const place = workplace();
    place.write({ 'dray.yaml': manifest('cargo', rest) });
    const { message, where } = await place.fail(['lock'], 2, 'not-supported');
    expect(message).toContain('not supported yet');
    expect(where).toMatchObject({ line: 4 });
  });
});
