// NVIDIA's GPU Operator, from NGC (played on this machine) into an enclave: `node examples/gpu-operator/demo.mjs [DIR]
// [REGISTRY]`. Needs Node and nothing else; everything it writes is below DIR (default: out/ beside this file), made anew
// each time. With REGISTRY, such as 127.0.0.1:5000, chart and images go there.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Shelf } from '../compose-stack/upstream/images.mjs';
import { startRegistry } from '../compose-stack/upstream/registry.mjs';
import { startRepository } from './upstream/repository.mjs';

const HERE = import.meta.dirname;
const DRAY = join(HERE, '..', '..', 'dist', 'cli', 'main.js');
/** In every directory that this script made, so that it never clears another. */
const MARK = '.dray-gpu-operator';

const out = resolve(process.argv[2] ?? join(HERE, 'out'));
const registry = process.argv[3];
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
const charts = await startRepository();
try {
  await carry();
} finally {
  await images.stop();
  await charts.stop();
}

async function carry() {
  say('NGC and the registries are played here: upstreams.yaml leads to them, the manifest does not know of it');
  writeFileSync(
    join(connected, 'upstreams.yaml'),
    `helm.ngc.nvidia.com: {mirror: "${charts.url}"}\n${['nvcr.io', 'registry.k8s.io']
      .map((host) => `${host}: {mirror: "${images.url}/${host}"}\n`)
      .join('')}`,
  );
  print(readFileSync(join(connected, 'upstreams.yaml'), 'utf8').trimEnd());

  say('Pin: which chart ~25.10 is today, and what each tag stands for');
  await dray(connected, 'lock');

  say('Pack, and look at what travels');
  await dray(connected, 'keygen', 'release', '--no-password');
  await dray(connected, 'pack', '../media', '--key', 'release.key');
  await dray(connected, 'inspect', '../media', '--key', 'release.pub');

  say('The enclave');
  cpSync(join(connected, 'release.pub'), join(enclave, 'release.pub'));
  const place = registry ?? 'registry.enclave.example:5000';
  await (registry === undefined
    ? dray(enclave, 'load', '../media', '--site', 'site.yaml')
    : dray(
        enclave,
        'load',
        '../media',
        '--key',
        'release.pub',
        '--state',
        'state',
        '--to',
        `registry://${registry}/mirror`,
      ));

  say('Install it: the chart from the registry, with values that name no other one');
  const values = readFileSync(join(HERE, 'values.yaml'), 'utf8').replaceAll('REGISTRY', `${place}/mirror`);
  writeFileSync(join(enclave, 'values.yaml'), values);
  const version = /charts\/gpu-operator:(\S+)/.exec(readFileSync(join(connected, 'dray.lock'), 'utf8'))?.[1];
  const path = relative(process.cwd(), join(enclave, 'values.yaml'));
  print(`helm install gpu-operator oci://${place}/mirror/charts/gpu-operator --version ${version} -f ${path}`);
}

/** The images that the manifest names, small, for two architectures each, as NVIDIA publishes them. */
function publishedImages() {
  const shelf = new Shelf();
  const names = readFileSync(join(HERE, 'dray.yaml'), 'utf8').matchAll(
    /(?:ref:|-) ((?:nvcr\.io|registry\.k8s\.io)\/\S+)/g,
  );
  const tags = new Map([...names].map(([, name]) => [name, shelf.index(name, ['amd64', 'arm64']).digest]));
  return { blobs: shelf.blobs, tags };
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
