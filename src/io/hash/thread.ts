import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { BLOCK } from '../disk/ring.ts';
import { openAdder } from './adder.ts';
import type { Adder } from './adder.ts';
import type { Answer, Request } from './threads.ts';

/** A thread of `threads.ts`. It has no event loop to keep free, so it reads and adds in turns, which costs the least. */

const sums = new Map<number, Adder<unknown>>();
let buffer: Buffer | undefined;

parentPort?.on('message', (request: Request) => {
  if ('sum' in request) return void sums.set(request.id, openAdder(request.sum));
  const adder = sums.get(request.id);
  if (adder === undefined) return undefined;
  if ('result' in request) sums.delete(request.id);
  if ('result' in request && !request.result) return undefined;
  parentPort?.postMessage(answer(request, adder));
});

function answer(request: Exclude<Request, { sum: unknown }>, adder: Adder<unknown>): Answer {
  try {
    if ('run' in request) return { value: adder.update(request.run) };
    return { value: 'fd' in request ? addFile(request, adder) : adder.result() };
  } catch (error) {
    return { failed: error as Error };
  }
}

function addFile({ fd, start, size }: Extract<Request, { fd: number }>, adder: Adder<unknown>): number {
  buffer ??= Buffer.allocUnsafeSlow(BLOCK);
  let done = 0;
  while (done < size) {
    const count = readSync(fd, buffer, 0, Math.min(BLOCK, size - done), start + done);
    if (count === 0) break;
    adder.update(buffer.subarray(0, count));
    done += count;
  }
  return done;
}
