// A language model from Hugging Face (played on this machine) into an enclave, as the cache from which vLLM serves it offline:
// `node examples/hf-vllm/demo.mjs [DIR]`. Needs Node and nothing else; everything it writes is below DIR (default: out/ beside
// this file), made anew each time.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Shelf } from '../compose-stack/upstream/images.mjs';
import { startRegistry } from '../compose-stack/upstream/registry.mjs';
import { startHub } from './upstream/hub.mjs';

const HERE = import.meta.dirname;
const DRAY = join(HERE, '..', '..', 'dist', 'cli', 'main.js');
/** In every directory that this script made, so that it never clears another. */
const MARK = '.dray-hf-vllm';

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
cpSync(join(HERE, 'dray.yaml'), join(connected, 'dray.yaml'));
cpSync(join(HERE, 'site.yaml'), join(enclave, 'site.yaml'));

const images = await startRegistry(publishedImages());
const hub = await startHub();
try {
  await carry();
} finally {
  await images.stop();
  await hub.stop();
}

async function carry() {
  say(
    'Hugging Face and Docker Hub are played here: HF_ENDPOINT and upstreams.yaml lead to them, the manifest does not know of it',
  );
  writeFileSync(join(connected, 'upstreams.yaml'), `docker.io: {mirror: "${images.url}/docker.io"}\n`);

  say('Pin: which commit main is today, and the SHA-256 of every file');
  await dray(connected, 'lock');
  print(
    readFileSync(join(connected, 'dray.lock'), 'utf8')
      .match(/about:\n(?: {6}.*\n)+/)?.[0]
      .trimEnd() ?? '',
  );

  say('Pack, and look at what travels');
  await dray(connected, 'keygen', 'release', '--no-password');
  await dray(connected, 'pack', '../media', '--key', 'release.key');
  await dray(connected, 'inspect', '../media', '--key', 'release.pub');

  say('The enclave: the cache of huggingface_hub, as if it had been filled here');
  cpSync(join(connected, 'release.pub'), join(enclave, 'release.pub'));
  await dray(enclave, 'load', '../media', '--site', 'site.yaml');

  say('Serve it');
  const cache = join(enclave, 'hub');
  const deployment = readFileSync(join(HERE, 'vllm.yaml'), 'utf8');
  writeFileSync(
    join(enclave, 'vllm.yaml'),
    deployment.replace('REGISTRY', 'registry.enclave.example:5000/mirror').replace('CACHE', cache),
  );
  print(`kubectl apply -f ${relative(process.cwd(), join(enclave, 'vllm.yaml'))}`);
  print(
    `HF_HUB_OFFLINE=1 HF_HUB_CACHE=${relative(process.cwd(), cache)} vllm serve nvidia/Llama-3.1-Nemotron-Nano-8B-v1`,
  );
}

/** The images that the manifest names, small, for two architectures each. */
function publishedImages() {
  const shelf = new Shelf();
  const names = readFileSync(join(HERE, 'dray.yaml'), 'utf8').matchAll(/- (docker\.io\/\S+)/g);
  const tags = new Map([...names].map(([, name]) => [name, shelf.index(name, ['amd64', 'arm64']).digest]));
  return { blobs: shelf.blobs, tags };
}

/** Runs a verb and shows it as it would be typed. */
async function dray(cwd, ...words) {
  print(`${relative(out, cwd)}$ dray ${words.join(' ')}`);
  const child = spawn(process.execPath, [DRAY, ...words, '--no-input'], {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...environment(), HF_ENDPOINT: hub.url, DRAY_UPSTREAMS: join(connected, 'upstreams.yaml') },
  });
  const status = await new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  if (status !== 0) stop(`dray ${words[0]} ended with ${status}`);
}

/** Without what would lead dray to another store, key, site or Hub, or through a proxy. */
function environment() {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(?:DRAY_|HF_|HUGGING_FACE_|SOURCE_DATE_EPOCH$|https?_proxy$)/i.test(name),
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
