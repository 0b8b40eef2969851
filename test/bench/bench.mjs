// `npm run bench [-- --size 1GB --rounds 5 --dir DIR]`: what dray's verbs take, beside what a public tool takes for the same
// bytes, in the same run and in turns. The ratio is the tool's time over dray's: above 1 dray is the faster one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure } from './measure.mjs';
import { makePayload, serve } from './payload.mjs';
import { report } from './report.mjs';
import { DRAY, dray, shell } from './run.mjs';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1GB' },
    rounds: { type: 'string', default: '5' },
    dir: { type: 'string', default: tmpdir() },
  },
});
const size = bytesOf(values.size);
const rounds = Number(values.rounds);
const [busy] = loadavg();
const work = mkdtempSync(join(values.dir, 'dray-bench-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const COPY = 'cp "$1"/* "$2"; sync "$2"/*; openssl dgst -sha256 "$2"/* >/dev/null';
const DIGEST = 'openssl dgst -sha256 "$1"/* >/dev/null';

/** Directories given out so far. */
let used = 0;

const CASES = [
  {
    name: 'verify, archive',
    run: () => dray(['verify', 'archive', '--key', 'release.pub'], work),
    peers: {
      'openssl dgst -sha256': ['openssl', () => shell(DIGEST, [join(work, 'volume')])],
      sha256sum: ['sha256sum', () => shell('sha256sum "$1"/* >/dev/null', [join(work, 'volume')])],
    },
  },
  {
    name: 'verify, directory',
    run: () => dray(['verify', 'directory', '--key', 'release.pub'], work),
    peers: { 'openssl dgst -sha256': ['openssl', () => shell(DIGEST, [payload()])] },
  },
  {
    name: 'pack, archive, from a warm store',
    run: () => packed('archive'),
    peers: { 'cp; sync; openssl dgst -sha256': ['openssl', copied] },
  },
  {
    name: 'pack, directory, from a warm store',
    run: () => packed('directory'),
    peers: { 'cp; sync; openssl dgst -sha256': ['openssl', copied] },
  },
  {
    name: 'load to a directory, from an archive',
    run: () => loaded('archive'),
    peers: { 'cp; sync; openssl dgst -sha256': ['openssl', copied] },
  },
  {
    name: 'load to a directory, from a directory',
    run: () => loaded('directory'),
    peers: { 'cp; sync; openssl dgst -sha256': ['openssl', copied] },
  },
  {
    name: 'load to an OCI layout, from an archive',
    run: () => loaded('archive', 'oci-layout'),
    peers: { 'cp; sync; openssl dgst -sha256': ['openssl', copied] },
  },
  { name: 'load again: all of it is there', run: () => load('archive', 'directory', join(work, 'again')), peers: {} },
  { name: 'inspect', run: () => dray(['inspect', 'archive', '--key', 'release.pub'], work), peers: {} },
];

await prepare();
report(
  CASES.flatMap((what) => measure(what, rounds)),
  { size, rounds, busy },
);

/** A payload in the store of a manifest, and a bundle of it in each format. */
async function prepare() {
  mkdirSync(payload());
  const paths = await makePayload(payload(), size);
  const { urls, stop } = await serve(paths);
  writeFileSync(
    join(work, 'dray.yaml'),
    `apiVersion: drayage/v1\nkind: Manifest\nname: bench\nfiles: ${JSON.stringify(urls.map((url) => ({ url })))}\n`,
  );
  dray(['keygen', 'release', '--no-password'], work);
  // Beside this process, which serves the files.
  const locking = spawn(process.execPath, [DRAY, 'lock', '--quiet'], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [status] = await once(locking, 'exit');
  stop();
  if (status !== 0) throw new Error(`dray lock: ended with ${status}`);
  for (const format of ['archive', 'directory'])
    dray(['pack', format, '--format', format, '--key', 'release.key'], work);
  mkdirSync(join(work, 'volume'));
  const medium = join(work, 'archive', readdirSync(join(work, 'archive'))[0] ?? '');
  const tar = readdirSync(medium).find((name) => name.endsWith('.tar')) ?? '';
  shell('ln "$1" "$2"', [join(medium, tar), join(work, 'volume/volume.tar')]);
}

function payload() {
  return join(work, 'payload');
}

function packed(format) {
  return into((out) => dray(['pack', out, '--format', format, '--key', 'release.key'], work));
}

function loaded(format, target = 'directory') {
  return into((out) => load(format, target, out));
}

function load(format, target, out) {
  const to = ['--to', `${target}:${join(out, target)}`, '--state', join(out, 'state')];
  return dray(['load', format, '--key', 'release.pub', ...to], work);
}

function copied() {
  return into((out) => shell(COPY, [payload(), out]));
}

/** Gives a directory that was never used before, and takes it away again; neither is timed. */
function into(run) {
  const out = join(work, `out-${++used}`);
  mkdirSync(out);
  try {
    return run(out);
  } finally {
    rmSync(out, { recursive: true });
  }
}

function bytesOf(text) {
  const match = /^(\d+(?:\.\d+)?)(KB|MB|GB)?$/.exec(text);
  if (match === null) throw new Error(`--size ${text}: expected a number and KB, MB or GB`);
  return Number(match[1]) * { undefined: 1, KB: 1e3, MB: 1e6, GB: 1e9 }[match[2]];
}
