import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

export const DRAY = join(import.meta.dirname, '../../dist/cli/main.js');
const PROBE = join(import.meta.dirname, 'probe.mjs');

/**
 * What one run took: seconds of wall clock and of processor, bytes of memory at its peak, bytes written to and read from
 * files. Null is what is not counted.
 * @typedef {{seconds: number, cpu: number | null, peak: number | null, written: number | null, read: number | null}} Taken
 */

/**
 * Runs `dray` once, as a process of its own.
 * @param {readonly string[]} words
 * @param {string} cwd
 * @param {readonly string[]} [sync] paths below which everything is on the disk before the clock stops: what a server wrote
 * @returns {Taken}
 */
export function dray(words, cwd, sync = []) {
  const file = join(cwd, 'probe.json');
  const env = { ...process.env, BENCH_PROBE: file };
  const argv = ['--import', PROBE, DRAY, ...words, '--no-input', '--quiet'];
  const what = `dray ${words.join(' ')}`;
  const own = timed(what, process.execPath, argv, { cwd, env }).seconds;
  const synced = sync.length === 0 ? 0 : timed('sync', 'sync', ['-f', ...sync], {}).seconds;
  const taken = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(file);
  return { seconds: own + synced, ...taken };
}

/**
 * Runs a shell script once; what it starts is counted.
 * @param {string} script ends at its first error
 * @param {readonly string[]} words its "$1" and so on
 * @param {Record<string, string>} [env]
 * @returns {Taken}
 */
export function shell(script, words, env = {}) {
  const argv = ['-c', `set -e\n${script}\necho\ntimes`, 'bash', ...words];
  const PATH = [process.env.PATH, ...ALSO].join(delimiter);
  const { seconds, stdout } = timed(script, 'bash', argv, { env: { ...process.env, PATH, ...env } });
  const children = stdout.trimEnd().split('\n').at(-1) ?? '';
  const cpu = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + 60 * Number(m) + Number(s), 0);
  return { seconds, cpu, peak: null, written: null, read: null };
}

/** How long a command takes that does next to nothing. @returns {number} seconds */
export function startUp(words) {
  return timed(words.join(' '), process.execPath, words, {}).seconds;
}

function timed(what, file, argv, options) {
  const begun = process.hrtime.bigint();
  const { status, stdout, stderr, error } = spawnSync(file, argv, { encoding: 'utf8', maxBuffer: 2 ** 26, ...options });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  if (status !== 0) throw new Error(`${what}: ended with ${status ?? error}\n${stdout}${stderr}`);
  return { seconds, stdout };
}

/** Where `go install` puts programs. */
const ALSO = [join(process.env.GOPATH ?? join(homedir(), 'go'), 'bin')];

/** Where a program lies; undefined where it is not installed. @param {string} name */
export function installed(name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...ALSO];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
