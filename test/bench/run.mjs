import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const DRAY = join(import.meta.dirname, '../../dist/cli/main.js');
const PROBE = join(import.meta.dirname, 'probe.mjs');

/** @typedef {{seconds: number, cpu: number, peak: number | null, written: number | null}} Taken seconds of wall clock and of processor, bytes */

/**
 * Runs `dray` once, as a process of its own.
 * @param {readonly string[]} words
 * @param {string} cwd
 * @returns {Taken}
 */
export function dray(words, cwd) {
  const file = join(cwd, 'probe.json');
  const env = { ...process.env, BENCH_PROBE: file };
  const argv = ['--import', PROBE, DRAY, ...words, '--no-input', '--quiet'];
  const seconds = timed(`dray ${words.join(' ')}`, process.execPath, argv, { cwd, env }).seconds;
  const taken = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(file);
  return { seconds, ...taken };
}

/**
 * Runs a shell script once; what it starts is counted.
 * @param {string} script ends at its first error
 * @param {readonly string[]} words its "$1" and so on
 * @returns {Taken}
 */
export function shell(script, words) {
  const argv = ['-c', `set -e\n${script}\necho\ntimes`, 'bash', ...words];
  const { seconds, stdout } = timed(script, 'bash', argv, {});
  const children = stdout.trimEnd().split('\n').at(-1) ?? '';
  const cpu = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + 60 * Number(m) + Number(s), 0);
  return { seconds, cpu, peak: null, written: null };
}

/** How long a command takes that does next to nothing. @returns {number} seconds */
export function startUp(words) {
  return timed(words.join(' '), process.execPath, words, {}).seconds;
}

function timed(what, file, argv, options) {
  const begun = process.hrtime.bigint();
  const { status, stdout, stderr, error } = spawnSync(file, argv, { encoding: 'utf8', ...options });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  if (status !== 0) throw new Error(`${what}: ended with ${status ?? error}\n${stdout}${stderr}`);
  return { seconds, stdout };
}

/** Is there such a program? */
export function installed(name) {
  return spawnSync('sh', ['-c', 'command -v "$0"', name]).status === 0;
}

export { DRAY };
