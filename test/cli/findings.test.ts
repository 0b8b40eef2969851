import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/actions/results.ts';
import { failureOf } from '../../src/cli/findings.ts';
import { pageOf } from '../../src/cli/page.ts';
import { formatFindings } from '../../src/cli/report.ts';

const finding = (code: Finding['code'], more: Partial<Finding> = {}): Finding => ({
  severity: 'error',
  code,
  message: `it is ${code}`,
  hint: 'do this',
  ...more,
});

describe('what findings amount to', () => {
  test('nothing, where there are none or only warnings', () => {
    expect(failureOf([], [])).toBeUndefined();
    expect(failureOf([finding('content-damaged', { severity: 'warning' })], [])).toBeUndefined();
  });

  test('the lowest status from 10 up, with its place', () => {
    const damage = finding('content-damaged', {
      medium: 'r-42-2of3',
      volume: 'r-42.v0002.tar',
      artifact: 'a',
      chunk: 7,
    });
    const failure = failureOf([finding('bundle-expired'), damage, finding('io-failed')], [{ volume: 3, medium: 3 }]);
    expect(failure).toMatchObject({
      ...{ code: 'content-damaged', exit: 11, hint: 'do this', message: 'it is content-damaged (and 2 more findings)' },
      where: { medium: 'r-42-2of3', volume: 'r-42.v0002.tar', artifact: 'a' },
    });
    expect(failureOf([finding('not-signed'), damage], [])?.exit).toBe(10);
  });

  test('a missing volume is 12, unless something lower was found', () => {
    expect(failureOf([finding('no-room')], [{ volume: 2, medium: 2 }])).toMatchObject({
      exit: 12,
      message: '1 volume not given: volume 2 (medium 2)',
    });
  });

  test('statuses below 10 say less', () =>
    expect(failureOf([finding('io-failed'), finding('bundle-expired')], [])?.exit).toBe(14));
});

describe('how findings read', () => {
  const page = pageOf({ write: () => undefined }, false);

  test('by medium, volume, chunk, blob and artifact; and what to burn again', () => {
    const blob = `sha256:${'ab'.repeat(32)}` as const;
    const damage = finding('content-damaged', {
      medium: 'r-42-2of3',
      volume: 'r-42.v0002.tar',
      chunk: 7,
      blob,
      artifact: 'nvcr.io/a:1',
      message: 'bad\u001b',
    });
    const text = formatFindings(
      [damage, { ...damage, chunk: 9 }, finding('not-signed', { medium: 'r-42-1of3', message: 'no key' })],
      page,
    );
    expect(text).toBe(
      [
        'r-42-2of3',
        '  r-42.v0002.tar',
        '    error  bad\\u001b',
        '      chunk 7 › blob abababababab › nvcr.io/a:1',
        '      do this',
        '    error  bad\\u001b',
        '      chunk 9 › blob abababababab › nvcr.io/a:1',
        '      do this',
        'r-42-1of3',
        '  error  no key',
        '    do this',
        'copy or burn again: r-42-2of3\n',
      ].join('\n'),
    );
  });
});
