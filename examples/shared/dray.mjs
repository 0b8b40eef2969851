import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { print, stop } from './say.mjs';

const DRAY = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');

/**
 * The two sides of an example, in `connected/` and `enclave/` below the directory that the script was called with (default:
 * out/ beside it), made anew each time. Nothing but what is in `media/` and public keys goes from one to the other.
 * @param {string} example the directory of the example; `dray.yaml` comes from there, and the enclave's `site.yaml`
 * @param {readonly string[]} more files and directories that the connected side has as well
 */
export function twoSides(example, more = []) {
  const out = resolve(process.argv[2] ?? join(example, 'out'));
  if (!existsSync(DRAY)) stop('dray is not built yet: npm ci');
  clear(out, `.dray-${basename(example)}`);
  const connected = side(join(out, 'connected'));
  const enclave = side(join(out, 'enclave'));
  for (const name of ['dray.yaml', ...more]) cpSync(join(example, name), connected.path(name), { recursive: true });
  cpSync(join(example, 'site.yaml'), enclave.path('site.yaml'));
  return { out, connected, enclave };
}

/** Begins anew; of a directory that no run of this example made it takes nothing away. */
function clear(out, mark) {
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, mark)))
    stop(`${out}: holds something else; name a directory that is empty, or not there yet`);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, mark), '');
}

/** A machine, as far as an example needs one: a directory, and `dray` in it with settings of its own. */
function side(directory) {
  mkdirSync(directory);
  const settings = {};
  const path = (...names) => join(directory, ...names);
  const write = (name, text) => writeFileSync(path(name), text);
  return {
    path,
    read: (name) => readFileSync(path(name), 'utf8'),
    write,
    /** Sets variables of the environment for what `dray` does here from now on. */
    set: (variables) => void Object.assign(settings, variables),
    /** Leads `dray` to a mirror of each host (docs/upstreams.md); answers what stands in upstreams.yaml then. */
    mirror(urls) {
      const lines = Object.entries(urls).map(([host, url]) => `${host}: {mirror: "${url}"}`);
      write('upstreams.yaml', `${lines.join('\n')}\n`);
      settings.DRAY_UPSTREAMS = path('upstreams.yaml');
      return lines.join('\n');
    },
    /** Runs a verb, shown as it would be typed, and shows what it says. */
    dray: (...words) => run(directory, settings, words, 'inherit'),
    /** The same with `--json`; answers the document instead of showing it. */
    drayJson: async (...words) => JSON.parse(await run(directory, settings, [...words, '--json'], 'pipe')),
  };
}

/** @returns {Promise<string>} what it printed, where that is piped; a verb that fails ends the example */
async function run(cwd, settings, words, stdout) {
  print(`${basename(cwd)}$ dray ${words.join(' ')}`);
  const env = { ...environment(), ...settings };
  const child = spawn(process.execPath, [DRAY, ...words, '--no-input'], {
    cwd,
    env,
    stdio: ['ignore', stdout, 'inherit'],
  });
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = await new Promise((done) => {
    child.once('error', ({ message }) => done(message));
    child.once('close', (status, signal) => done(status ?? signal));
  });
  if (ended !== 0) stop(`dray ${words[0]} ended with ${ended}`);
  return said;
}

/** Without what would lead dray to another store, key, site or login than the example's, or through a proxy. */
function environment() {
  const foreign = /^(?:DRAY_|HF_|HUGGING_FACE_|NGC_|SOURCE_DATE_EPOCH$|https?_proxy$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/**
 * Where `dray load` is to deliver.
 * @param {string | undefined} registry HOST:PORT; without one, as the enclave's site.yaml says
 */
export function destination(registry) {
  if (registry === undefined) return ['--site', 'site.yaml'];
  return ['--key', 'release.pub', '--state', 'state', '--to', `registry://${registry}/mirror`];
}
