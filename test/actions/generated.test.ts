import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generatedFiles } from '../../src/actions/generated.ts';
import { CATALOGUE } from '../../src/errors.ts';

const root = join(import.meta.dirname, '..', '..');

describe('what is committed is what the code generates (npm run generate)', () => {
  test.each(Object.entries(generatedFiles()))('%s', (path, text) => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(text);
  });
});

test('docs/errors.md has every code once, with its status', () => {
  const page = generatedFiles()['docs/errors.md']!;
  for (const [code, { exit }] of Object.entries(CATALOGUE))
    expect(page.split(`| \`${code}\` | ${exit} |`)).toHaveLength(2);
});
