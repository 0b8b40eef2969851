import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where a bench works: a directory that goes with the process, and new ones in it.
 * @typedef {ReturnType<typeof openWorkbench>} Workbench
 * @param {{dir: string, size: number}} options `size`: bytes of payload
 */
export function openWorkbench({ dir, size }) {
  const work = mkdtempSync(join(dir, 'dray-bench-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
  let used = 0;
  return {
    work,
    size,
    path: (...names) => join(work, ...names),
    /** Gives a directory that was never used before, and takes it away again; neither is timed. */
    into: (run) => {
      const out = join(work, `out-${++used}`);
      mkdirSync(out);
      try {
        return run(out);
      } finally {
        rmSync(out, { recursive: true, force: true });
      }
    },
  };
}
