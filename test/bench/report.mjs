import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { median } from './measure.mjs';
import { DRAY, startUp } from './run.mjs';

/**
 * The machine, a table in Markdown, and what it takes to start.
 * @param {ReturnType<import('./measure.mjs').measure>} measured
 * @param {{size: number, rounds: number, busy: number}} run bytes of the payload, and the load average before it
 */
export function report(measured, { size, rounds, busy }) {
  const first = (command) =>
    (spawnSync(command[0], command.slice(1), { encoding: 'utf8' }).stdout ?? '').split('\n')[0];
  const [{ model = '' } = {}] = cpus();
  print(
    `\n${cpus().length} x ${model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Linux ${release()}; Node ${process.version} (OpenSSL ${process.versions.openssl}); ${first(['openssl', 'version'])}; ${first(['sha256sum', '--version'])}`,
  );
  print(
    `${(size / 1e9).toFixed(2)} GB that cannot be compressed, medians of ${rounds} runs in turns, page cache warm; load average before it ${busy.toFixed(1)}\n`,
  );
  print('| | dray | GB/s | the other | GB/s | ratio | CPU s/GB, dray / other | peak memory | written per byte |');
  print('|---|---|---|---|---|---|---|---|---|');
  for (const line of measured) print(`| ${cellsOf(line, size).join(' | ')} |`);
  const starts = (words) => median(Array.from({ length: 4 * rounds }, () => startUp(words))) * 1000;
  const [bare, version] = [starts(['-e', '0']), starts([DRAY, '--version'])];
  print(
    `\n\`dray --version\` ${version.toFixed(0)} ms, \`node -e 0\` ${bare.toFixed(0)} ms: ${(version - bare).toFixed(0)} ms more`,
  );
}

function cellsOf({ name, own, peer, other }, size) {
  const seconds = `${own.seconds.toFixed(2)} s`;
  const memory = `${(own.peak / 1e6).toFixed(0)} MB`;
  const written = own.written === null ? 'not counted' : (own.written / size).toFixed(3);
  if (other === undefined) return [name, seconds, '', '', '', '', '', memory, written];
  const beside = [
    `${peer}: ${other.seconds.toFixed(2)} s`,
    speed(other, size),
    `**${(other.seconds / own.seconds).toFixed(2)}**`,
  ];
  return [name, seconds, speed(own, size), ...beside, `${cost(own, size)} / ${cost(other, size)}`, memory, written];
}

function speed({ seconds }, size) {
  return (size / seconds / 1e9).toFixed(2);
}

function cost({ cpu }, size) {
  return (cpu / (size / 1e9)).toFixed(2);
}

function print(text) {
  process.stdout.write(`${text}\n`);
}
