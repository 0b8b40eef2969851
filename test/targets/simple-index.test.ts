import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { Journal, Target } from '../../src/targets/target.ts';
import { directoryTarget } from '../../src/targets/disk/directory.ts';
import { deliverAll, deliveryOf, filesSample, memoryJournal } from '../support/deliveries.ts';
import { must } from '../support/cli.ts';
import { missing } from '../support/programs.ts';
import { sha256Of, wheelBytes } from '../support/wheels.ts';

const A = 'demo_a-1.0-py3-none-any.whl';
const A2 = 'demo_a-1.1-py3-none-any.whl';
const B = 'B.local-2.0+cu126-py3-none-any.whl';

let base: string;
let directory: string;
let journal: Journal;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'dray-'));
  directory = join(base, 'files');
  journal = memoryJournal();
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const target = (): Target => directoryTarget(directory, { journal: () => journal, pid: process.pid });
const page = (path: string): string => readFileSync(join(directory, 'tools', 'simple', path), 'utf8');
const wheelhouse = (...files: readonly string[]): ReturnType<typeof filesSample> =>
  filesSample('wheels', 'tools', Object.fromEntries(files.map((file) => [file, wheelBytes(file)])));

describe('a wheelhouse in a directory', () => {
  it('has a static index: a page of projects, and one for each with relative links and hashes', async () => {
    await deliverAll(target(), [wheelhouse(A, A2, B)]);
    expect(page('index.html')).toContain('<a href="b-local/">b-local</a><br>\n<a href="demo-a/">demo-a</a>');
    expect(page('demo-a/index.html')).toContain(
      `<a href="../../${A}#sha256=${sha256Of(wheelBytes(A))}">${A}</a><br>\n<a href="../../${A2}#`,
    );
    expect(page('b-local/index.html')).toContain('href="../../B.local-2.0%2Bcu126-py3-none-any.whl#sha256=');
  });

  it('is there only with its index, and gets it back', async () => {
    const sample = wheelhouse(A, B);
    await deliverAll(target(), [sample]);
    expect((await deliverAll(target(), [sample])).present).toEqual(['tools']);
    rmSync(join(directory, 'tools/simple/demo-a'), { recursive: true });
    expect(await deliverAll(target(), [sample])).toMatchObject({ present: [], blobs: 0 });
    expect(existsSync(join(directory, 'tools/simple/demo-a/index.html'))).toBe(true);
    writeFileSync(join(directory, 'tools/simple/index.html'), 'changed');
    await deliverAll(target(), [sample]);
    expect(page('index.html')).toContain('demo-a');
  });

  it('gets an index that lists what a later bundle has, and no page of what it has not', async () => {
    await deliverAll(target(), [wheelhouse(A, B)]);
    await deliverAll(target(), [wheelhouse(A2)]);
    expect(readdirSync(join(directory, 'tools/simple')).sort()).toEqual(['demo-a', 'index.html']);
    expect(page('index.html')).not.toContain('b-local');
    expect(page('demo-a/index.html')).not.toContain(A);
    expect(page('demo-a/index.html')).toContain(A2);
  });

  it('leaves a page alone that somebody changed, and a page of somebody else stops the load before its first byte', async () => {
    await deliverAll(target(), [wheelhouse(A, B)]);
    writeFileSync(join(directory, 'tools/simple/b-local/index.html'), 'mine now');
    await deliverAll(target(), [wheelhouse(A)]);
    expect(page('b-local/index.html')).toBe('mine now');
    const opened = target();
    await opened.open(quietContext());
    await expect(opened.expect(deliveryOf(wheelhouse(A, B), opened))).rejects.toMatchObject({ code: 'name-taken' });
    await opened.close();
  });

  it.each([
    ['a file in the place of a page', { 'simple/index.html': 'x', [A]: wheelBytes(A) }, 'name-collision'],
    ['a file in the place of its directory', { simple: 'x', [A]: wheelBytes(A) }, 'name-collision'],
  ])('refuses a hostile bundle: %s', async (_, files, code) => {
    const opened = target();
    await opened.open(quietContext());
    await expect(opened.expect(deliveryOf(filesSample('wheels', 'tools', files), opened))).rejects.toMatchObject({
      code,
    });
    await opened.close();
  });

  it('has no page for what is no wheel, and none that leads elsewhere', async () => {
    const files = {
      [A]: wheelBytes(A),
      '..-1.0-py3-none-any.whl': 'x',
      'é-1.0-py3-none-any.whl': 'x',
      'notes.txt': 'x',
      'sub/z-1-py3-none-any.whl': 'x',
    };
    await deliverAll(target(), [filesSample('wheels', 'tools', files)]);
    expect(readdirSync(join(directory, 'tools/simple')).sort()).toEqual(['demo-a', 'index.html']);
  });

  const lacking = missing('python3');
  it.skipIf(lacking !== '')(
    `is an index for pip, by file URL${lacking}`,
    async () => {
      await deliverAll(target(), [wheelhouse(A, A2, B)]);
      const words = [
        '-m',
        'pip',
        'download',
        '--no-deps',
        '--index-url',
        `file://${directory}/tools/simple`,
        '--dest',
        join(base, 'got'),
        'demo.a<1.1',
        'b-local',
      ];
      await must('python3', words, { env: { PIP_CONFIG_FILE: '/dev/null', PIP_FIND_LINKS: '', PIP_NO_INDEX: '' } });
      expect(readdirSync(join(base, 'got')).sort()).toEqual([B, A]);
    },
    60_000,
  );
});
