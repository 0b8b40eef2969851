// Loaded before dray (`node --import`): writes what the process used, once it ends, to the file in BENCH_PROBE.
import { readFileSync, writeFileSync } from 'node:fs';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const io = Object.fromEntries(
    readFileSync('/proc/self/io', 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(': ')),
  );
  const usage = { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, rssMB: maxRSS / 1e3, written: Number(io.wchar) };
  writeFileSync(process.env.BENCH_PROBE, JSON.stringify(usage));
});
