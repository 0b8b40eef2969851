// From a manifest to a loaded enclave, on one machine: `npm run demo`, or `node examples/hello/demo.mjs [DIR]`.
// Needs Node and nothing else. Everything it writes is below DIR (default: out/ beside this file), made anew each time.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { buildCargo } from './cargo/build.mjs';

const HERE = import.meta.dirname;
const DRAY = join(HERE, '..', '..', 'dist', 'cli', 'main.js');
/** In every directory that this script made, so that it never clears another. */
const MARK = '.dray-hello';
/** Small enough for two. */
const MEDIUM = '2MB';

const out = resolve(process.argv[2] ?? join(HERE, 'out'));
/** Two machines: nothing but the media and the public key goes from one to the other. */
const connected = join(out, 'connected');
const media = join(out, 'media');
const enclave = join(out, 'enclave');

if (!existsSync(DRAY)) stop('dray is not built yet: npm ci');
clear();

say('The connected side: what is to be carried');
for (const name of ['dray.yaml', 'chart', 'handbook'])
  cpSync(join(HERE, name), join(connected, name), { recursive: true });
for (const { path, is, bytes } of buildCargo(join(connected, 'cargo')))
  print(`built cargo/${path}, ${is}, ${bytes} bytes`);

say('A key pair: the public half goes to the enclave, by another way than the media');
dray(connected, 'keygen', 'release', '--no-password');
cpSync(join(connected, 'release.pub'), join(enclave, 'release.pub'));

say('Pin everything: dray.lock is what a second person reviews');
dray(connected, 'lock');

say(`Pack and sign, onto media of ${MEDIUM}`);
dray(connected, 'pack', '../media', '--media', MEDIUM, '--key', 'release.key');

say('Verify every byte, before the media travel');
dray(connected, 'verify', '../media', '--key', 'release.pub');

say('The enclave: whom it trusts and where things go stands in its own site.yaml');
cpSync(join(HERE, 'site.yaml'), join(enclave, 'site.yaml'));
dray(enclave, 'load', '../media', '--site', 'site.yaml');
dray(enclave, 'status', '--site', 'site.yaml');

say('What went where: all of it is in the enclave as it left, byte for byte');
for (const [from, to] of sameOnBothSides()) print(`enclave/${to}  from connected/${from}`);
for (const tag of tagsOf(join(enclave, 'oci'))) print(`enclave/oci  has ${tag}`);

const below = relative(process.cwd(), out);
const here = below === '' || below.startsWith('..') ? out : below;
say('Look at it');
print(`ls -R ${here}
cat ${here}/connected/dray.lock
cat ${here}/media/hello-1-1of2/READ-ME.txt
(cd ${here}/media/hello-1-1of2 && sha256sum -c --strict SHA256SUMS)
tar -tf ${here}/media/hello-1-2of2/hello-1.v0002.tar`);
say('and, with the tools for it');
print(`skopeo inspect oci:${here}/enclave/oci:hello.example/greeter:1.0.0
skopeo copy oci:${here}/enclave/oci:hello.example/greeter:1.0.0 docker-daemon:greeter:1.0.0 && docker run --rm greeter:1.0.0
pip install --no-index --find-links ${here}/enclave/files/tools hello-greeter
hello-greeter ${here}/enclave/models/hello/tiny-random-llama`);

/** Runs a verb and shows it as it would be typed. */
function dray(cwd, ...words) {
  print(`${relative(out, cwd)}$ dray ${words.join(' ')}`);
  const { status, signal, error } = spawnSync(process.execPath, [DRAY, ...words], {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: environment(),
  });
  if (status !== 0) stop(`dray ${words[0]} ended with ${status ?? signal ?? error?.message}`);
}

/** Without what would lead dray to another store, key or site. */
function environment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:DRAY_|SOURCE_DATE_EPOCH$)/.test(name)),
  );
}

/** Ordinary files that were carried, and where they are now. Ends where one of them is another. */
function sameOnBothSides() {
  const pairs = [
    ['cargo/tiny-random-llama', 'models/hello/tiny-random-llama'],
    ['cargo/wheels', 'files/tools'],
    ['handbook', 'files/handbook'],
  ].flatMap(([from, to]) => readdirSync(join(connected, from)).map((name) => [`${from}/${name}`, `${to}/${name}`]));
  const all = [...pairs, ['cargo/primes.txt', 'files/data/primes.txt']];
  for (const [from, to] of all) {
    if (!readFileSync(join(connected, from)).equals(readFileSync(join(enclave, to)))) stop(`${to} is not ${from}`);
  }
  return all;
}

function tagsOf(layout) {
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  return manifests.map(({ annotations }) => annotations['org.opencontainers.image.ref.name']);
}

/** Begins anew; of a directory that it did not make it takes nothing away. */
function clear() {
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, MARK)))
    stop(`${out}: holds something else`);
  rmSync(out, { recursive: true, force: true });
  for (const directory of [connected, media, enclave]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(out, MARK), '');
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
