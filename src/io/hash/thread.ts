import { parentPort } from 'node:worker_threads';
import { openAdder } from './adder.ts';
import type { Adder, Sum } from './sum.ts';
import { addFile } from './file-run.ts';
import type { Answer, Question, Request } from './threads.ts';

/** A thread of `threads.ts`. It has no event loop to keep free, so it reads and adds in turns, which costs the least. */

const sums = new Map<number, Adder<unknown>>();

/** Requests are done in their order, though a sum may take a moment to begin. */
let turn = Promise.resolve();

parentPort?.on('message', (request: Request) => {
  turn = turn.then(() => take(request));
});

async function take(request: Request): Promise<void> {
  if ('sum' in request) sums.set(request.id, await begun(request.sum));
  else if ('drop' in request) sums.delete(request.id);
  else parentPort?.postMessage(answer(request));
}

async function begun(sum: Sum): Promise<Adder<unknown>> {
  try {
    return await openAdder(sum);
  } catch (error) {
    const fail = (): never => {
      throw error;
    };
    return { update: fail, result: fail };
  }
}

/** Every question has one, for answers are told apart by their order. */
function answer(question: Question): Answer {
  try {
    return { value: valueOf(question) };
  } catch (error) {
    const { message, code, syscall } = error as NodeJS.ErrnoException;
    return { failed: message, ...(syscall === undefined ? {} : { code, syscall }) };
  }
}

function valueOf(question: Question): unknown {
  const adder = sums.get(question.id);
  if (adder === undefined) throw new Error('the sum is over');
  if ('fd' in question) return addFile(question, adder);
  if ('result' in question) {
    sums.delete(question.id);
    return adder.result();
  }
  adder.update(question.run);
  return undefined;
}
