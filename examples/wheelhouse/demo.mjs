// Python wheels from two package indexes (played on this machine) into an enclave: `node examples/wheelhouse/demo.mjs [DIR]`.
// Needs Node and nothing else; everything it writes is below DIR (default: out/ beside this file), made anew each time.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { startIndexes } from './upstream/index.mjs';

const HERE = import.meta.dirname;
const DRAY = join(HERE, '..', '..', 'dist', 'cli', 'main.js');
/** In every directory that this script made, so that it never clears another. */
const MARK = '.dray-wheelhouse';

const out = resolve(process.argv[2] ?? join(HERE, 'out'));
/** Two machines: nothing but the media and the public key goes from one to the other. */
const connected = join(out, 'connected');
const enclave = join(out, 'enclave');

if (!existsSync(DRAY)) stop('dray is not built yet: npm ci');
if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, MARK)))
  stop(`${out}: holds something else`);
rmSync(out, { recursive: true, force: true });
for (const directory of [connected, enclave]) mkdirSync(directory, { recursive: true });
writeFileSync(join(out, MARK), '');
for (const file of ['dray.yaml', 'requirements.txt', 'pylock.toml']) cpSync(join(HERE, file), join(connected, file));
cpSync(join(HERE, 'site.yaml'), join(enclave, 'site.yaml'));

const indexes = await startIndexes();
try {
  await carry();
} finally {
  await indexes.stop();
}

async function carry() {
  say('The indexes are played here: upstreams.yaml leads to them, the manifest does not know of it');
  writeFileSync(join(connected, 'upstreams.yaml'), `wheels.example: {mirror: "${indexes.url}"}\n`);
  print(readFileSync(join(connected, 'upstreams.yaml'), 'utf8').trimEnd());

  say('Pin: the wheels that Python 3.11 and 3.12 would take on x86 and on ARM, whatever runs here');
  await dray(connected, 'lock');
  const lock = readFileSync(join(connected, 'dray.lock'), 'utf8');
  for (const [, file] of lock.matchAll(/title: (torch\S+whl)/g)) print(file);

  say('Pack, and look at what travels');
  await dray(connected, 'keygen', 'release', '--no-password');
  await dray(connected, 'pack', '../media', '--key', 'release.key');
  await dray(connected, 'inspect', '../media', '--key', 'release.pub');

  say('The enclave');
  cpSync(join(connected, 'release.pub'), join(enclave, 'release.pub'));
  await dray(enclave, 'load', '../media', '--site', 'site.yaml');

  const files = relative(process.cwd(), join(enclave, 'files')) || '.';
  print(`\npip install --no-index --find-links ${files}/training torch safetensors`);
  print(`pip install --index-url file://${join(enclave, 'files', 'service', 'simple')} fastapi`);
}

/** Runs a verb and shows it as it would be typed. */
async function dray(cwd, ...words) {
  print(`${relative(out, cwd)}$ dray ${words.join(' ')}`);
  const child = spawn(process.execPath, [DRAY, ...words, '--no-input'], {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...environment(), DRAY_UPSTREAMS: join(connected, 'upstreams.yaml') },
  });
  const status = await new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  if (status !== 0) stop(`dray ${words[0]} ended with ${status}`);
}

/** Without what would lead dray to another store, key or site, or through a proxy. */
function environment() {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(?:DRAY_|SOURCE_DATE_EPOCH$|https?_proxy$)/i.test(name),
  );
  return Object.fromEntries(own);
}

function say(text) {
  print(`\n== ${text}`);
}

function print(text) {
  process.stdout.write(`${text}\n`);
}

function stop(why) {
  process.stderr.write(`demo: ${why}\n`);
  process.exit(1);
}
