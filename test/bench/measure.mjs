import { spawnSync } from 'node:child_process';
import { installed } from './run.mjs';

/** @typedef {import('./run.mjs').Taken} Taken */

/**
 * One line for each peer: medians of runs in turns, after one of each that does not count.
 * @param {{name: string, run: () => Taken, peers: Record<string, [needs: string, run: () => Taken]>}} what
 * @param {number} rounds
 * @returns {readonly {name: string, own: Taken, peer?: string, other?: Taken}[]}
 */
export function measure({ name, run, peers }, rounds) {
  const present = Object.entries(peers).filter(
    ([peer, [needs]]) =>
      installed(needs) || void process.stdout.write(`skipped: ${name} beside ${peer} (${needs} is not installed)\n`),
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
  const beside = present.map(([peer]) => ({ name, own, peer, other: medians(taken[peer]) }));
  return beside.length === 0 ? [{ name, own }] : beside;
}

function medians(taken) {
  const of = (key) => (taken.every((one) => one[key] === null) ? null : median(taken.map((one) => one[key])));
  return { seconds: of('seconds'), cpu: of('cpu'), peak: of('peak'), written: of('written') };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}
