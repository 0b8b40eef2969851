import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { median } from './measure.mjs';
import { DRAY, startUp } from './run.mjs';

/**
 * The machine, a table in Markdown, and what it takes to start.
 * @param {ReturnType<import('./measure.mjs').measure>} measured
 * @param {{size: number, rounds: number}} run bytes of the payload
 */
export function report(measured, { size, rounds }) {
  const first = (command) =>
    (spawnSync(command[0], command.slice(1), { encoding: 'utf8' }).stdout ?? '').split('\n')[0];
  const [{ model = '' } = {}] = cpus();
  print(
    `\n${cpus().length} x ${model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Linux ${release()}; Node ${process.version} (OpenSSL ${process.versions.openssl}); ${first(['openssl', 'version'])}; ${first(['sha256sum', '--version'])}`,
  );
  print(
    `${(size / 1e9).toFixed(2)} GB that cannot be compressed, medians of ${rounds} runs in turns, page cache warm\n`,
  );
  print('| | dray | GB/s | the other | GB/s | ratio | CPU s/GB, dray / other | peak memory | written per byte |');
  print('|---|---|---|---|---|---|---|---|---|');
  for (const { name, own, peer, other } of measured) {
    const cells = [
      name,
      `${own.seconds.toFixed(2)} s`,
      speed(own, size),
      ...(other === undefined
        ? ['none', '', '']
        : [
            `${peer}: ${other.seconds.toFixed(2)} s`,
            speed(other, size),
            `**${(other.seconds / own.seconds).toFixed(2)}**`,
          ]),
      `${cost(own, size)}${other === undefined ? '' : ` / ${cost(other, size)}`}`,
      `${(own.peak / 1e6).toFixed(0)} MB`,
      own.written === null ? 'not counted' : (own.written / size).toFixed(3),
    ];
    print(`| ${cells.join(' | ')} |`);
  }
  const starts = (words) => median(Array.from({ length: 4 * rounds }, () => startUp(words))) * 1000;
  const [bare, version] = [starts(['-e', '0']), starts([DRAY, '--version'])];
  print(
    `\n\`dray --version\` ${version.toFixed(0)} ms, \`node -e 0\` ${bare.toFixed(0)} ms: ${(version - bare).toFixed(0)} ms more`,
  );
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
