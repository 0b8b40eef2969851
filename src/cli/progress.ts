import type { Event } from '../context.ts';
import { printable } from '../io/safe-path.ts';
import { formatWhere } from './failure.ts';
import type { Output } from './io.ts';
import type { Reading } from './meter.ts';
import { shorten, sizeOf } from './page.ts';
import type { Page } from './page.ts';
import { openMeters } from './target-meters.ts';
import type { Readings } from './target-meters.ts';

/** What goes to standard error while a verb works. */
export interface Display {
  readonly report: (event: Event) => void;
  /** Takes the line that is being redrawn away, so that other text can be written. */
  readonly clear: () => void;
  /** Shows nothing any more. */
  readonly close: () => void;
}

export interface DisplayOptions {
  readonly output: Output;
  readonly page: Page;
  readonly how: 'line' | 'plain' | 'json' | 'none';
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Milliseconds. */
  readonly clock: () => number;
}

const REDRAW = 100;
const PLAIN_FIRST = 1000;
const PLAIN_EVERY = 5000;
/** How often is looked where nothing is told. */
const STALL = 1000;

export function openDisplay(options: DisplayOptions): Display {
  const { output, page, how, quiet, verbose } = options;
  if (how === 'json') return openJsonLines(options);
  const work = quiet || how === 'none' ? SILENT : how === 'line' ? redrawn(options) : plain(options);
  const say = (line: string): void => {
    work.clear();
    output.write(line);
  };
  return {
    clear: work.clear,
    close: work.close,
    report: (event) => {
      if (event.type === 'warning') {
        if (quiet) return;
        const place = formatWhere(event.where ?? {});
        say(`${page.yellow('warning:')} ${printable(event.message)}${place === '' ? '' : ` (${place})`}\n`);
      } else if (event.type === 'detail') {
        if (verbose) say(`${page.dim(printable(event.message))}\n`);
      } else if (event.type === 'space') {
        if (!quiet && how !== 'none') say(`${spaceLine(event)}\n`);
      } else work.report(event);
    },
  };
}

const SILENT: Display = { report: () => undefined, clear: () => undefined, close: () => undefined };

/** One line on a terminal, at most ten times a second; nothing for work that is done at once. */
function redrawn({ output, page, clock }: DisplayOptions): Display {
  const meter = openMeters();
  let drawn = false;
  let last = clock();
  const clear = (): void => {
    if (drawn) output.write('\r\u001b[K');
    drawn = false;
  };
  const draw = (): void => {
    const now = clock();
    const reading = meter.read(now);
    if (reading === undefined) return clear();
    if (now - last < REDRAW || reading.elapsed < 2 * REDRAW) return;
    last = now;
    drawn = true;
    output.write(`\r\u001b[K${lineOf(reading, page.width - 1)}`);
  };
  const ticks = ticking(draw, STALL);
  return {
    clear,
    report: (event) => {
      meter.take(event, clock());
      ticks.while(meter.isBusy());
      draw();
    },
    close: ticks.stop,
  };
}

/** A line every few seconds, for logs; nothing for work under a second. */
function plain({ output, clock }: DisplayOptions): Display {
  const meter = openMeters();
  let last = Number.NEGATIVE_INFINITY;
  const tell = (): void => {
    const now = clock();
    const reading = meter.read(now);
    if (reading === undefined || now - last < PLAIN_EVERY || reading.elapsed < PLAIN_FIRST) return;
    last = now;
    for (const line of [reading, ...reading.targets])
      output.write(`${line === reading ? '' : '  '}${printable(line.label)}: ${figures(line)}\n`);
  };
  const ticks = ticking(tell, STALL);
  return {
    clear: () => undefined,
    report: (event) => {
      const now = clock();
      const before = event.type === 'end' ? meter.read(now) : undefined;
      meter.take(event, now);
      ticks.while(meter.isBusy());
      if (meter.isBusy()) tell();
      else if (before !== undefined && before.elapsed >= PLAIN_FIRST)
        output.write(`${printable(before.label)}: ${finished(before)}\n`);
    },
    close: ticks.stop,
  };
}

/** What stalls makes no events, and is shown all the same. Never keeps the process alive. */
function ticking(
  tick: () => void,
  every: number,
): { readonly while: (busy: boolean) => void; readonly stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    while: (busy) => {
      if (!busy) stop();
      else timer ??= setInterval(tick, every).unref();
    },
    stop,
  };
}

/** Events as they are, one JSON document a line; bytes of a task are gathered to ten lines a second. */
function openJsonLines({ output, quiet, verbose, clock }: DisplayOptions): Display {
  const gathered = new Map<string, { bytes: number; at: number }>();
  const write = (event: Event): unknown => output.write(`${JSON.stringify(event)}\n`);
  const flush = ({ task, target }: { readonly task: string; readonly target?: string }): void => {
    const sum = gathered.get(task);
    const of = target === undefined ? {} : { target };
    if (sum !== undefined && sum.bytes > 0) write({ type: 'bytes', task, bytes: sum.bytes, ...of });
  };
  return {
    clear: () => undefined,
    close: () => undefined,
    report: (event) => {
      if ((quiet && event.type === 'warning') || (!verbose && event.type === 'detail')) return;
      if (event.type === 'bytes') {
        const sum = gathered.get(event.task) ?? { bytes: 0, at: clock() };
        sum.bytes += event.bytes;
        gathered.set(event.task, sum);
        if (clock() - sum.at < REDRAW) return;
        flush(event);
        gathered.set(event.task, { bytes: 0, at: clock() });
      } else {
        if (event.type === 'end') {
          flush(event);
          gathered.delete(event.task);
        }
        write(event);
      }
    },
  };
}

function spaceLine({ paths, needed, free }: Extract<Event, { type: 'space' }>): string {
  const has = free === null ? 'has nobody knows how much' : `has ${sizeOf(free)}`;
  return `needs ${sizeOf(needed)}, ${has} (${paths.map(printable).join(', ')})`;
}

function lineOf(reading: Readings, width: number): string {
  const room = width - NAME - 2;
  const numbers = reading.targets.length === 0 ? numbersOf(reading, room) : numbersOfTargets(reading, room);
  return `${shorten(printable(reading.label), Math.max(NAME, width - numbers.length - 2))}  ${numbers}`;
}

/** What says least goes first where the line is short. */
function numbersOf(reading: Reading, width: number): string {
  const parts = partsOf(reading);
  while (parts.length > 1 && parts.join(', ').length > width) parts.splice(parts.length > 2 ? 2 : 0, 1);
  return parts.join(', ');
}

/** All together, then each target, the one that takes longest first: as much of it as there is room for. */
function numbersOfTargets(reading: Readings, width: number): string {
  const targets = [...reading.targets].sort((a, b) => (b.left ?? Infinity) - (a.left ?? Infinity));
  const names = targets.map(({ label }) => nameBeside(label, reading.targets));
  const line = (ofAll: typeof paceOf, ofEach: typeof paceOf, count: number): string =>
    [ofAll(reading), ...targets.slice(0, count).map((target, at) => `${names[at] ?? ''} ${ofEach(target)}`)].join(
      ' | ',
    );
  const lines = [line(paceOf, paceOf, targets.length), line(paceOf, briefly, targets.length)];
  for (let count = targets.length; count > 0; count--) lines.push(line(briefly, briefly, count));
  return lines.find(({ length }) => length <= width) ?? numbersOf(reading, width);
}

/** What kind of target it is, where that tells it from the others. */
function nameBeside(label: string, others: readonly Reading[]): string {
  const kindOf = (uri: string): string => uri.split(':', 1)[0] ?? '';
  const isClear = others.filter((other) => kindOf(other.label) === kindOf(label)).length === 1;
  return printable(isClear ? kindOf(label) : shorten(label, NAME));
}

/** `45%, 1.2 GB/s, 8 s left` */
function paceOf(reading: Reading): string {
  return partsOf(reading)
    .slice(reading.total === undefined ? 0 : 1)
    .join(', ');
}

/** `45% 8 s` */
function briefly(reading: Reading): string {
  const [first = '', share = first] = partsOf(reading);
  const { total, left } = reading;
  return `${total === undefined ? first : share}${left === undefined || left > LONGEST ? '' : ` ${duration(left)}`}`;
}

/** As many columns are kept for the label. */
const NAME = 12;

function figures(reading: Reading): string {
  return partsOf(reading).join(', ');
}

/** `1.2 GB of 2.0 GB`, `60%`, `45.3 MB/s`, `8 s left`: as far as they are known. */
function partsOf({ done, total, rate, left }: Reading): string[] {
  const amount =
    total === undefined
      ? [sizeOf(done)]
      : [`${sizeOf(done)} of ${sizeOf(total)}`, `${Math.floor((100 * done) / total)}%`];
  const remaining = left === undefined || left > LONGEST ? [] : [`${duration(left)} left`];
  return [...amount, `${sizeOf(Math.round(rate))}/s`, ...remaining];
}

/** Nobody believes more than a week, in seconds. */
const LONGEST = 7 * 24 * 3600;

function finished({ done, elapsed }: Reading): string {
  return `${sizeOf(done)} in ${duration(elapsed / 1000)}`;
}

/** `8 s`, `3 min 05 s`, `2 h 07 min`. */
function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (count: number): string => String(count).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}
