import * as fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { selecting } from '../../src/sources/huggingface/selection.ts';
import { noHubClient, withHubClient } from '../support/hub-client.ts';

describe('include and exclude', () => {
  test.each([
    ['*.json', 'a/b.json', true],
    ['*.json', 'b.JSON', false],
    ['original/', 'original/a/b', true],
    ['original', 'original/a', false],
    ['a?c', 'a/c', true],
    ['a?c', 'a😀c', true],
    ['[!ab].bin', 'c.bin', true],
    ['[!ab].bin', 'a.bin', false],
    ['[a-c]*', 'b', true],
    ['[c-a]*', 'b', false],
    ['[]]', ']', true],
    ['[', '[', true],
    ['a.c', 'abc', false],
    ['sub\\*.txt', 'sub/a.txt', true],
    ['', '', true],
  ])('%j takes %j: %j', (glob, path, takes) => {
    expect(selecting({ include: [glob] })(path)).toBe(takes);
    expect(selecting({ exclude: [glob] })(path)).toBe(!takes);
  });

  test('exclude has the last word; without include everything is taken', () => {
    const takes = selecting({ include: ['*.json', '*.bin'], exclude: ['x*'] });
    expect(['a.json', 'x.json', 'a.txt'].map(takes)).toEqual([true, false, false]);
    expect(selecting({})('anything')).toBe(true);
  });

  test('a pattern of many stars takes no longer than its length times that of the path', () => {
    expect(selecting({ include: ['*a'.repeat(500)] })('a'.repeat(499) + 'b'.repeat(500))).toBe(false);
  });

  test.skipIf(noHubClient !== '')(`take exactly what the real huggingface_hub takes${noHubClient}`, async () => {
    const part = fc.constantFrom(
      '*',
      '?',
      '[',
      ']',
      '!',
      '-',
      'a',
      'b',
      'c',
      '/',
      '.',
      '\\',
      '^',
      '&',
      '~',
      '|',
      'é',
      '😀',
      '\n',
    );
    const glob = fc.array(part, { maxLength: 9 }).map((parts) => parts.join(''));
    const path = fc
      .array(fc.constantFrom('a', 'b', 'c', '/', '.', '-', '!', ']', '[', '^', '&', '~', '|', 'é', '😀', '\n', '\\'), {
        maxLength: 6,
      })
      .map((parts) => parts.join(''));
    const cases = fc.sample(
      fc.record({
        include: fc.option(fc.array(glob, { maxLength: 3 })),
        exclude: fc.array(glob, { maxLength: 2 }),
        paths: fc.array(path),
      }),
      { numRuns: 4000, seed: 42 },
    );
    const home = mkdtempSync(join(tmpdir(), 'dray-'));
    try {
      writeFileSync(join(home, 'cases.json'), JSON.stringify(cases));
      const found = await withHubClient(
        { home },
        `
from huggingface_hub.utils import filter_repo_objects
cases = json.load(open(os.path.join(os.environ['HF_HOME'], 'cases.json')))
print(json.dumps([list(filter_repo_objects(c['paths'], allow_patterns=c['include'], ignore_patterns=c['exclude'])) for c in cases]))`,
      );
      const ours = cases.map(({ include, exclude, paths }) =>
        paths.filter(selecting(include === null ? { exclude } : { include, exclude })),
      );
      expect(ours).toEqual(found);
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});
