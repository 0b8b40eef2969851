// The images of a compose file, from public registries (played on this machine) into an enclave: `node
// examples/compose-stack/demo.mjs [DIR] [REGISTRY]`. Needs Node and nothing else; everything it writes is below DIR (default:
// out/ beside this file), made anew each time. With REGISTRY, such as 127.0.0.1:5000, the images go there.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { publicRegistries } from './upstream/images.mjs';
import { startRegistry } from './upstream/registry.mjs';

const HERE = import.meta.dirname;
const DRAY = join(HERE, '..', '..', 'dist', 'cli', 'main.js');
/** In every directory that this script made, so that it never clears another. */
const MARK = '.dray-compose-stack';

const out = resolve(process.argv[2] ?? join(HERE, 'out'));
const registry = process.argv[3];
/** Two machines: nothing but the media and the public keys goes from one to the other. */
const connected = join(out, 'connected');
const enclave = join(out, 'enclave');

if (!existsSync(DRAY)) stop('dray is not built yet: npm ci');
if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, MARK)))
  stop(`${out}: holds something else`);
rmSync(out, { recursive: true, force: true });
for (const directory of [connected, enclave]) mkdirSync(directory, { recursive: true });
writeFileSync(join(out, MARK), '');
cpSync(join(HERE, 'dray.yaml'), join(connected, 'dray.yaml'));
cpSync(join(HERE, 'site.yaml'), join(enclave, 'site.yaml'));

const upstream = publicRegistries();
const server = await startRegistry(upstream);
try {
  await carry();
} finally {
  await server.stop();
}

async function carry() {
  say('The public registries are played here: upstreams.yaml leads to them, the manifest does not know of it');
  const mirrors = ['docker.io', 'quay.io'].map((host) => `${host}: {mirror: "${server.url}/${host}"}\n`);
  writeFileSync(join(connected, 'upstreams.yaml'), mirrors.join(''));
  print(readFileSync(join(connected, 'upstreams.yaml'), 'utf8').trimEnd());

  say('Pin: what each tag stands for today');
  await dray(connected, 'lock');
  say('A month later: milvus follows its range, everything else stays');
  await dray(connected, 'lock', '--upgrade', 'docker.io/milvusdb/*');

  say('Pack, and look at what travels: the digest that each tag stands for, and what came beside it');
  await dray(connected, 'keygen', 'release', '--no-password');
  await dray(connected, 'pack', '../media', '--key', 'release.key');
  await dray(connected, 'inspect', '../media', '--key', 'release.pub', '--images');
  await dray(connected, 'inspect', '../media', '--key', 'release.pub', '--tree', '--images');

  say('The enclave');
  cpSync(join(connected, 'release.pub'), join(enclave, 'release.pub'));
  writeFileSync(join(enclave, 'redis.pub'), upstream.publicKey);
  const where =
    registry === undefined
      ? ['--site', 'site.yaml']
      : ['--key', 'release.pub', '--state', 'state', '--to', `registry://${registry}/mirror`];
  const { delivered } = JSON.parse(await dray(enclave, 'load', '../media', ...where, '--json'));
  for (const { state, name, digest } of delivered) print(`${state}  ${name}  ${digest}`);

  say('Deploy by digest: the same services, with the images that were loaded');
  writeFileSync(join(enclave, 'compose.yaml'), byDigest(readFileSync(join(HERE, 'compose.yaml'), 'utf8'), delivered));
  print(`grep image: ${relative(process.cwd(), join(enclave, 'compose.yaml'))}`);
  for (const line of readFileSync(join(enclave, 'compose.yaml'), 'utf8').split('\n'))
    if (/^ +image:/.test(line)) print(line);
}

/** Each image by the digest under which it stands in the enclave, whatever version it is by now. */
function byDigest(compose, delivered) {
  return compose.replace(/^( +image: )(\S+)$/gm, (line, key, reference) => {
    const repository = reference.slice(0, reference.lastIndexOf(':'));
    const found = delivered.find(({ artifact }) => artifact.startsWith(`${repository}:`));
    return found === undefined ? line : `${key}${found.name.slice(0, found.name.lastIndexOf(':'))}@${found.digest}`;
  });
}

/** Runs a verb and shows it as it would be typed; answers what it printed. */
async function dray(cwd, ...words) {
  const quiet = words.includes('--json');
  print(`${relative(out, cwd)}$ dray ${words.join(' ')}`);
  const child = spawn(process.execPath, [DRAY, ...words, '--no-input'], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...environment(), DRAY_UPSTREAMS: join(connected, 'upstreams.yaml') },
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
    if (!quiet) process.stdout.write(text);
  });
  const status = await new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  if (status !== 0) stop(`dray ${words[0]} ended with ${status}`);
  return said;
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
