import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Event } from '../../src/context.ts';
import { pageOf } from '../../src/cli/page.ts';
import { openDisplay } from '../../src/cli/progress.ts';

type How = 'line' | 'plain' | 'json' | 'none';

function display(how: How, { quiet = false, verbose = false, columns = 80 } = {}) {
  let now = 1_000_000;
  const writes: { readonly at: number; readonly text: string }[] = [];
  const output = { write: (text: string) => writes.push({ at: now, text }), isTTY: how === 'line', columns };
  const shown = openDisplay({ output, page: pageOf(output, false), how, quiet, verbose, clock: () => now });
  const pass = (milliseconds: number): void => void (now += milliseconds);
  return { ...shown, pass, writes, text: () => writes.map(({ text }) => text).join('') };
}

/** A task of 10 MB in 1 kB events, a millisecond apart. */
function work({ report, pass }: ReturnType<typeof display>, events = 10_000): void {
  report({ type: 'begin', task: 't', label: 'fetch model', total: 10_000_000 });
  for (let i = 0; i < events; i += 1) {
    pass(1);
    report({ type: 'bytes', task: 't', bytes: 1000 });
  }
}

describe('on a terminal', () => {
  test('one line is redrawn at most ten times a second, fits, and goes away', () => {
    const shown = display('line');
    work(shown);
    shown.report({ type: 'end', task: 't' });
    const times = shown.writes.map(({ at }) => at);
    expect(times.length).toBeGreaterThan(50);
    expect(times.length).toBeLessThanOrEqual(101);
    for (const { text } of shown.writes) expect(text).toMatch(/^\r\u001b\[K[^\n]{0,79}$/);
    expect(shown.writes.at(-2)?.text).toMatch(/fetch model {2}10\.0 MB of 10\.0 MB, 100%, 1\.0 MB\/s, 0 s left$/);
    expect(shown.writes.at(-1)?.text).toBe('\r\u001b[K');
  });

  test('a warning takes the line away before it is written', () => {
    const shown = display('line');
    work(shown, 500);
    shown.report({ type: 'warning', message: 'a gap\u001b', where: { medium: 'm-1of2' } });
    expect(shown.writes.slice(-2).map(({ text }) => text)).toEqual([
      '\r\u001b[K',
      'warning: a gap\\u001b (medium m-1of2)\n',
    ]);
  });

  test('what is done at once shows nothing', () => {
    const shown = display('line');
    work(shown, 150);
    shown.report({ type: 'end', task: 't' });
    expect(shown.text()).toBe('');
  });
});

describe('in a log', () => {
  test('a line every five seconds, and one at the end', () => {
    const shown = display('plain');
    work(shown);
    shown.report({ type: 'end', task: 't' });
    expect(shown.text().split('\n')).toEqual([
      'fetch model: 1.0 MB of 10.0 MB, 10%, 1.0 MB/s, 9 s left',
      'fetch model: 6.0 MB of 10.0 MB, 60%, 1.0 MB/s, 4 s left',
      'fetch model: 10.0 MB in 10 s',
      '',
    ]);
  });

  test('nothing for work under a second', () => {
    const shown = display('plain');
    work(shown, 999);
    shown.report({ type: 'end', task: 't' });
    expect(shown.text()).toBe('');
  });

  test('tasks side by side are one sum', () => {
    const shown = display('plain');
    shown.report({ type: 'begin', task: 'a', label: 'one', total: 4000 });
    shown.report({ type: 'begin', task: 'b', label: 'two', total: 6000 });
    shown.pass(2000);
    shown.report({ type: 'bytes', task: 'a', bytes: 4000 });
    shown.report({ type: 'end', task: 'a' });
    expect(shown.text()).toBe('two: 4.0 kB of 10.0 kB, 40%, 2.0 kB/s, 3 s left\n');
  });
});

describe('a total that becomes known on the way', () => {
  test('a task that begins again has a new one', () => {
    const shown = display('plain');
    shown.report({ type: 'begin', task: 'lock', label: 'locking', total: 0 });
    shown.pass(2000);
    shown.report({ type: 'bytes', task: 'lock', bytes: 1000 });
    shown.report({ type: 'begin', task: 'lock', label: 'locking', total: 4000 });
    shown.pass(5000);
    shown.report({ type: 'bytes', task: 'lock', bytes: 1000 });
    expect(shown.text()).toBe('locking: 1.0 kB, 500 B/s\nlocking: 2.0 kB of 4.0 kB, 50%, 200 B/s, 10 s left\n');
  });

  test('nobody is told of a year', () => {
    const shown = display('plain');
    shown.report({ type: 'begin', task: 't', label: 't', total: 1e12 });
    shown.pass(2000);
    shown.report({ type: 'bytes', task: 't', bytes: 2 });
    expect(shown.text()).toBe('t: 2 B of 1.0 TB, 0%, 1 B/s\n');
  });
});

describe('a narrow terminal', () => {
  test.each([20, 40, 60, 80, 200])('of %d columns gets a line that fits, with a name and how far it is', (columns) => {
    const shown = display('line', { columns });
    work(shown, 3000);
    const last = shown.writes.at(-1)?.text.replace('\r\u001b[K', '') ?? '';
    expect(last.length).toBeLessThan(Math.max(columns, 40));
    expect(last).toMatch(/^fetch.*30%/);
  });
});

describe('what stalls', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test.each(['plain', 'line'] as const)('is shown all the same (%s), until it ends', (how) => {
    const shown = display(how);
    shown.report({ type: 'begin', task: 't', label: 'fetch model', total: 1000 });
    const before = shown.writes.length;
    for (let second = 0; second < 12; second += 1) {
      shown.pass(1000);
      vi.advanceTimersByTime(1000);
    }
    const said = shown.writes.slice(before).map(({ text }) => text);
    expect(said.length).toBe(how === 'plain' ? 3 : 12);
    expect(said.at(-1)).toContain('0 B of 1.0 kB, 0%, 0 B/s');
    shown.report({ type: 'end', task: 't' });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('nothing ticks once the display is closed', () => {
    const shown = display('plain');
    shown.report({ type: 'begin', task: 't', label: 't' });
    shown.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('several targets', () => {
  const names = ['registry://r.example:5000/mirror', 'directory:/srv/files', 's3://bucket/prefix'];
  /** All take the same; each is as far as its share says after so many seconds. */
  function loading(how: How, targets: readonly string[], seconds: number): ReturnType<typeof display> {
    const shown = display(how);
    shown.report({ type: 'begin', task: 'load v', label: 'loading cargo-1.v0001.tar', total: 100e6 });
    for (const target of targets)
      shown.report({ type: 'begin', task: `to ${target}`, label: target, total: 80e6, target });
    for (let ms = 0; ms < seconds * 1000; ms += 50) {
      shown.pass(50);
      shown.report({ type: 'bytes', task: 'load v', bytes: 500_000 });
      targets.forEach((target, at) =>
        shown.report({ type: 'bytes', task: `to ${target}`, bytes: 400_000 / (at + 1), target }),
      );
    }
    return shown;
  }

  test('stand beside the whole on one line that fits, the slowest first', () => {
    const last = (shown: ReturnType<typeof display>): string => {
      for (const { text } of shown.writes) expect(text).toMatch(/^\r\u001b\[K[^\n]{0,79}$/);
      return shown.writes.at(-1)?.text.slice(4) ?? '';
    };
    expect
      .soft(last(loading('line', names, 5)))
      .toBe('loading…0001.tar  50% 5 s | s3 16% 26 s | directory 24% 16 s | registry 49% 6 s');
    expect
      .soft(last(loading('line', names.slice(0, 2), 5)))
      .toBe('loadin…01.tar  50%, 10.0 MB/s, 5 s left | directory 24% 16 s | registry 49% 6 s');
    const alike = ['directory:/srv/one', 'directory:/srv/two', 'directory:/srv/three', 'directory:/srv/four'];
    expect
      .soft(last(loading('line', alike, 5)))
      .toBe('loading ca…1.v0001.tar  50% 5 s | direc…v/four 12% 36 s | direc…/three 16% 26 s');
  });

  test('are lines of their own in a log', () => {
    expect(loading('plain', names, 2).text()).toBe(
      [
        'loading cargo-1.v0001.tar: 10.0 MB of 100.0 MB, 10%, 10.0 MB/s, 9 s left',
        '  registry://r.example:5000/mirror: 7.6 MB of 80.0 MB, 9%, 7.6 MB/s, 10 s left',
        '  directory:/srv/files: 3.8 MB of 80.0 MB, 4%, 3.8 MB/s, 21 s left',
        '  s3://bucket/prefix: 2.5 MB of 80.0 MB, 3%, 2.5 MB/s, 31 s left',
        '',
      ].join('\n'),
    );
  });

  test('need no line where there is but one', () => {
    expect(loading('plain', names.slice(0, 1), 2).text()).toBe(
      'loading cargo-1.v0001.tar: 10.0 MB of 100.0 MB, 10%, 10.0 MB/s, 9 s left\n',
    );
  });

  test('are named in every event of theirs, and no byte is lost or told of another', () => {
    const shown = loading('json', names, 3);
    for (const target of names) shown.report({ type: 'end', task: `to ${target}`, target });
    const events = shown
      .text()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Event);
    names.forEach((target, at) => {
      const own = events.filter((event) => 'target' in event && event.target === target);
      expect([own[0]?.type, own.at(-1)?.type]).toEqual(['begin', 'end']);
      const bytes = own.reduce((sum, event) => sum + (event.type === 'bytes' ? event.bytes : 0), 0);
      expect(Math.round(bytes)).toBe(Math.round(24e6 / (at + 1)));
    });
  });
});

describe('as JSON', () => {
  test('every event is a document of a line, and no byte is lost', () => {
    const shown = display('json');
    work(shown);
    shown.report({ type: 'end', task: 't' });
    const events = shown
      .text()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Event);
    const bytes = events.flatMap((event) => (event.type === 'bytes' ? [event.bytes] : []));
    expect(bytes.length).toBeLessThanOrEqual(101);
    expect(bytes.reduce((sum, count) => sum + count, 0)).toBe(10_000_000);
    expect([events[0]?.type, events.at(-1)?.type]).toEqual(['begin', 'end']);
  });
});

describe('what is said besides', () => {
  const say: readonly Event[] = [
    { type: 'warning', message: 'w' },
    { type: 'detail', message: 'd' },
  ];
  test.each([
    ['plain', {}, 'warning: w\n'],
    ['none', {}, 'warning: w\n'],
    ['plain', { quiet: true }, ''],
    ['plain', { verbose: true }, 'warning: w\nd\n'],
    ['json', { quiet: true, verbose: true }, '{"type":"detail","message":"d"}\n'],
  ] as const)('%s %j', (how, options, text) => {
    const shown = display(how, options);
    for (const event of say) shown.report(event);
    expect(shown.text()).toBe(text);
  });

  test('none and quiet show no progress', () => {
    for (const shown of [display('none'), display('plain', { quiet: true }), display('line', { quiet: true })]) {
      work(shown);
      expect(shown.text()).toBe('');
    }
  });
});
