import { expect, test } from 'vitest';
import * as z from 'zod';
import { parseToml } from '../../src/io/toml.ts';
import { errorOf } from '../support/written-manifest.ts';

const schema = z.strictObject({ a: z.string(), list: z.array(z.strictObject({ n: z.int() })).optional() });
const read = (text: string): z.infer<typeof schema> =>
  parseToml(text, { file: 'x.toml', schema, code: 'manifest-invalid' });

test('reads values by a schema, dates as text', () => {
  expect(read('a = "x"\n[[list]]\nn = 1\n[[list]]\nn = 2\n')).toEqual({ a: 'x', list: [{ n: 1 }, { n: 2 }] });
  expect(read('a = 2026-01-02T03:04:05Z\n')).toEqual({ a: '2026-01-02T03:04:05.000Z' });
});

test.each([
  ['a = \n', /^x\.toml:1:\d+: is no TOML: /],
  ['a = "1"\na = "2"\n', /^x\.toml:2:\d+: is no TOML: /],
  [`a = ${'['.repeat(5000)}`, /^x\.toml:1:\d+: is no TOML: /],
  ['a = 1\n', /^x\.toml: a: /],
  ['a = "x"\n[[list]]\nn = "one"\n', /^x\.toml: list\[0\]\.n: /],
  ['a = "x"\n__proto__ = {}\n', /^x\.toml: /],
])('says where %j is wrong', async (text, expected) => {
  const error = await errorOf(() => read(text));
  expect(error.code).toBe('manifest-invalid');
  expect(error.message).toMatch(expected);
});
