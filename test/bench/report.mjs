import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

const HEADINGS = [
  ...['', 'dray', 'the other', 'ratio', 'floor', 'CPU s/GB, dray / other', 'written per byte', 'read per byte'],
  'peak memory',
];

/** The machine. @param {{size: number, rounds: number, busy: number}} run bytes of the payload, and the load average before it */
export function reportMachine({ size, rounds, busy }) {
  const first = (...command) =>
    (spawnSync(command[0], command.slice(1), { encoding: 'utf8' }).stdout ?? '').split('\n')[0];
  const [{ model = '' } = {}] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const node = `Node ${process.version} (OpenSSL ${process.versions.openssl})`;
  print(`${cpus().length} x ${model.trim()}, ${memory}; Linux ${release()}; ${node}; ${first('openssl', 'version')}`);
  print(
    `${(size / 1e9).toFixed(2)} GB that cannot be compressed, medians of ${rounds} runs in turns, page cache warm, outputs synced; load average before it ${busy.toFixed(1)}\n`,
  );
}

/** The table, in Markdown. @param {ReturnType<import('./measure.mjs').measure>} measured */
export function reportTable(measured) {
  print(`\n| ${HEADINGS.join(' | ')} |`);
  print(`|${HEADINGS.map(() => '---').join('|')}|`);
  for (const line of measured) print(`| ${cellsOf(line).join(' | ')} |`);
}

/** One line while the bench goes on, for whoever watches. */
export function reportLine(line) {
  process.stderr.write(`${cellsOf(line).filter(Boolean).join(' · ')}\n`);
}

function cellsOf({ name, own, peer, other, bytes, floor = {} }) {
  const per = (count) => (count === null || !(bytes > 0) ? '' : (count / bytes).toFixed(3));
  return [
    name,
    seconds(own),
    other === undefined ? '' : `\`${peer}\`: ${seconds(other)}`,
    other === undefined ? '' : `**${(other.seconds / own.seconds).toFixed(2)} ×**`,
    floorOf(floor),
    [own, other]
      .flatMap((one) => (one?.cpu == null || !(bytes > 0) ? [] : [(one.cpu / (bytes / 1e9)).toFixed(2)]))
      .join(' / '),
    per(own.written),
    per(own.read),
    own.peak === null ? '' : `${(own.peak / 1e6).toFixed(0)} MB`,
  ];
}

function floorOf({ ratio, cpu, written, seconds: most }) {
  return [
    ...(ratio === undefined ? [] : [`${ratio} ×`]),
    ...(most === undefined ? [] : [`≤ ${Number(most.toFixed(2))} s`]),
    ...(cpu === undefined ? [] : [`≤ ${cpu} CPU s/GB`]),
    ...(written === undefined ? [] : [`≤ ${written} written`]),
  ].join(', ');
}

function seconds({ seconds: taken }) {
  return taken < 0.1 ? `${(taken * 1000).toFixed(0)} ms` : `${taken.toFixed(2)} s`;
}

function print(text) {
  process.stdout.write(`${text}\n`);
}
