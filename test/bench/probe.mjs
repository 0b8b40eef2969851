// Preloaded into a process that is measured (`node --import`): at its end, writes to the file named by BENCH_PROBE what it took.

import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.BENCH_PROBE;
if (isMainThread && file !== undefined) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const cpu = (userCPUTime + systemCPUTime) / 1e6;
    writeFileSync(file, JSON.stringify({ cpu, peak: maxRSS * 1024, written: writtenBytes() }));
  });
}

/** What went to the file system (proc_pid_io(5)); null where the system does not count it. */
function writtenBytes() {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? NaN);
  } catch {
    return null;
  }
}
