import { describe, expect, test } from 'vitest';
import { parseEpoch, parseExpiry, parseTime } from '../../src/cli/times.ts';

const from = new Date('2026-03-01T12:00:00.500Z');

describe('times', () => {
  test.each([
    ['90d', '2026-05-30T12:00:00.000Z'],
    ['2w', '2026-03-15T12:00:00.000Z'],
    ['36h', '2026-03-03T00:00:00.000Z'],
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2027-01-31T12:00:00+02:00', '2027-01-31T10:00:00.000Z'],
  ])('--expires %s', (text, expected) => expect(parseExpiry(text, from).toISOString()).toBe(expected));

  test.each(['0d', '-1d', '90', '90m', '1e3d', 'tomorrow', '2026-02-30', '2020-01-01', ''])(
    '--expires %j is a usage error',
    (text) => expect(() => parseExpiry(text, from)).toThrow(expect.objectContaining({ code: 'usage' })),
  );

  test('--created has whole seconds and a zone', () => {
    expect(parseTime('2026-03-01T12:00:00.9Z', '--created').toISOString()).toBe('2026-03-01T12:00:00.000Z');
    for (const text of ['2026-03-01T12:00:00', '1772366400', 'March 1, 2026', '2026-13-01', '0001-01-01T00:00:00Z'])
      expect(() => parseTime(text, '--created')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('SOURCE_DATE_EPOCH counts seconds', () => {
    expect(parseEpoch('1772366400').toISOString()).toBe('2026-03-01T12:00:00.000Z');
    for (const text of ['', '-1', '1.5', '99999999999999'])
      expect(() => parseEpoch(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
