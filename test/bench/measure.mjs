import { spawnSync } from 'node:child_process';
import { installed } from './run.mjs';

/** @typedef {import('./run.mjs').Taken} Taken */

/**
 * One line of the table, or one for each peer.
 * @typedef {{
 *   name: string,
 *   run: () => Taken,
 *   peers?: Record<string, [needs: string, run: () => Taken]>,
 *   bytes: number,
 *   floor?: {ratio?: number | Record<string, number>, cpu?: number, written?: number, seconds?: number},
 * }} Case
 * `peers` by what is run, with the program that it needs; `bytes` of payload; `floor` is what is promised at least (ratio,
 * which may differ by peer) or at most (the others).
 */

/**
 * One line for each peer: medians of runs in turns, after one of each that does not count.
 * @param {Case} what
 * @param {number} rounds
 */
export function measure({ run, peers = {}, ...line }, rounds) {
  const present = Object.entries(peers).filter(
    ([peer, [needs]]) =>
      installed(needs) !== undefined ||
      void process.stdout.write(`skipped: ${line.name} beside ${peer} (${needs} is not installed)\n`),
  );
  const runs = { own: run, ...Object.fromEntries(present.map(([peer, [, runPeer]]) => [peer, runPeer])) };
  const taken = Object.fromEntries(Object.keys(runs).map((key) => [key, []]));
  for (let round = 0; round <= rounds; round++)
    for (const [key, once] of Object.entries(runs)) {
      // What earlier runs left to write is not this one's.
      spawnSync('sync');
      const one = once();
      if (round > 0) taken[key].push(one);
    }
  const own = medians(taken.own);
  const beside = present.map(([peer]) => {
    const { ratio } = line.floor ?? {};
    const floor = { ...line.floor, ratio: typeof ratio === 'object' ? ratio[peer] : ratio };
    return { ...line, floor, own, peer, other: medians(taken[peer]) };
  });
  return beside.length === 0 ? [{ ...line, own }] : beside;
}

function medians(taken) {
  const of = (key) => (taken.every((one) => one[key] === null) ? null : median(taken.map((one) => one[key])));
  return { seconds: of('seconds'), cpu: of('cpu'), peak: of('peak'), written: of('written'), read: of('read') };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}
