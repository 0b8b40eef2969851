import { parentPort } from 'node:worker_threads';
import { sumsHere } from './volume-sums.ts';
import type { SumsRequest } from './volume-sums.ts';

/** The thread of `volume-sums.ts`: adds up runs of shared memory, answers each when it is done with it, and the sums at the end. */
const sums = sumsHere();

parentPort?.on('message', (request: SumsRequest) => {
  const answer = 'run' in request ? sums.update(request.run) : sums.finish();
  void answer.then((value) => parentPort?.postMessage(value));
});
