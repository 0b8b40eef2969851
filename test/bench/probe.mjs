// Preloaded into a process that is measured (`node --import`): at its end, writes to the file named by BENCH_PROBE what it took.

import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.BENCH_PROBE;
if (isMainThread && file !== undefined) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime } = process.resourceUsage();
    const cpu = (userCPUTime + systemCPUTime) / 1e6;
    writeFileSync(file, JSON.stringify({ cpu, peak: peak(), ...counted() }));
  });
}

/** Of this program alone: what getrusage(2) says begins with the memory of whoever started it. In bytes. */
function peak() {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? NaN);
  } catch {
    return null;
  }
}

/** What went to the file system and what came from files, cached or not (proc_pid_io(5)); null where the system does not count it. */
function counted() {
  try {
    const text = readFileSync('/proc/self/io', 'utf8');
    const of = (key) => Number(new RegExp(`^${key}: (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
    return { written: of('write_bytes'), read: of('rchar') };
  } catch {
    return { written: null, read: null };
  }
}
