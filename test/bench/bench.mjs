// `npm run bench [-- --size GB --runs N --dir DIR]`: one table, each line a ratio of medians measured side by side, in turns, in this run,
// on generated incompressible data. A ratio above 1 means that dray is faster than the public tools beside it.
import { execFileSync, spawnSync } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    dir: { type: 'string', default: tmpdir() },
  },
});
const bytes = Math.round(Number(values.size) * 1e9);
const runs = Number(values.runs);
const root = resolve(import.meta.dirname, '../..');
const dray = join(root, 'dist/cli/main.js');
const here = mkdtempSync(join(values.dir, 'dray-bench-'));
const lines = [];

try {
  makeCargo();
  measure();
  print();
} finally {
  rmSync(here, { recursive: true, force: true });
}

/** Half of it one large file, the rest in files of 64 MB, all in the page cache before anything is measured. */
function makeCargo() {
  mkdirSync(join(here, 'cargo'));
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(1_000_000);
  const write = (name, size) => {
    writeFileSync(join(here, 'cargo', name), '');
    for (let left = size; left > 0; left -= zeros.length)
      appendFileSync(join(here, 'cargo', name), cipher.update(zeros.subarray(0, Math.min(left, zeros.length))));
  };
  write('large.bin', bytes / 2);
  for (let at = 0, left = bytes / 2; left > 0; at++, left -= 64e6)
    write(`part-${String(at).padStart(3, '0')}.bin`, Math.min(left, 64e6));
  writeFileSync(join(here, 'dray.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: bench\nfiles: [cargo]\n');
  run(['keygen', 'bench', '--no-password']);
  run(['lock']);
}

function measure() {
  const files = 'cargo/*';
  const staged =
    'rm -rf copy && mkdir copy && cp cargo/* copy/ && sync -f copy && openssl dgst -sha256 copy/* >/dev/null';
  compare(
    'pack, archive, from files by reference',
    'cp; sync; openssl dgst -sha256',
    () => verb(['pack', 'a', '--key', 'bench.key', '--sequence', '1'], 'a'),
    staged,
  );
  run(['pack', 'b', '--key', 'bench.key', '--sequence', '2', '--format', 'directory']);
  execFileSync('sh', ['-c', 'cat a/*/* b/*/blobs/sha256/* > /dev/null'], { cwd: here });
  compare(
    'verify, archive, warm',
    'openssl dgst -sha256',
    () => verb(['verify', 'a', '--key', 'bench.pub']),
    `openssl dgst -sha256 ${files} >/dev/null`,
  );
  compare(
    'verify, directory, warm',
    'openssl dgst -sha256',
    () => verb(['verify', 'b', '--key', 'bench.pub']),
    `openssl dgst -sha256 ${files} >/dev/null`,
  );
  const load = (target) =>
    verb(['load', 'a', '--key', 'bench.pub', '--state', 'state', '--to', target], 'far', 'state');
  compare('load → directory', 'cp; sync; openssl dgst -sha256', () => load('directory:far'), staged);
  compare('load → OCI layout', 'cp; sync; openssl dgst -sha256', () => load('oci-layout:far?take=files'), staged);
  run(['load', 'a', '--key', 'bench.pub', '--state', 'state', '--to', 'directory:far']);
  lines.push({
    name: 'load again: all present',
    ...median(
      Array.from({ length: runs }, () =>
        verb(['load', 'a', '--key', 'bench.pub', '--state', 'state', '--to', 'directory:far']),
      ),
    ),
  });
  lines.push({
    name: 'inspect',
    ...median(Array.from({ length: runs }, () => verb(['inspect', 'a', '--key', 'bench.pub']))),
  });
}

/** Runs both sides in turns, so that what else the machine does hits both. */
function compare(name, peer, ours, theirs) {
  const mine = [];
  const others = [];
  for (let round = 0; round < runs; round++) {
    mine.push(ours());
    others.push(timed(() => execFileSync('sh', ['-c', theirs], { cwd: here })));
  }
  const { seconds, ...usage } = median(mine);
  const reference = others.sort((a, b) => a - b)[others.length >> 1];
  lines.push({ name, peer, seconds, reference, ratio: reference / seconds, ...usage });
}

/** One run of dray with what it used; directories named after the words are removed before. */
function verb(words, ...fresh) {
  for (const name of fresh) rmSync(join(here, name), { recursive: true, force: true });
  const probe = join(here, 'probe.json');
  const seconds = timed(() => run(words, ['--import', join(import.meta.dirname, 'probe.mjs')], { BENCH_PROBE: probe }));
  return { seconds, ...JSON.parse(readFileSync(probe, 'utf8')) };
}

function run(words, options = [], environment = {}) {
  const { status, stderr } = spawnSync(process.execPath, [...options, dray, ...words], {
    cwd: here,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`dray ${words.join(' ')} ended with ${status}: ${stderr}`);
}

function timed(work) {
  const begin = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

function median(found) {
  const middle = (key) => found.map((one) => one[key]).sort((a, b) => a - b)[found.length >> 1];
  return {
    seconds: middle('seconds'),
    cpuSeconds: middle('cpuSeconds'),
    rssMB: Math.max(...found.map(({ rssMB }) => rssMB)),
    written: middle('written'),
  };
}

function print() {
  const gigabytes = bytes / 1e9;
  console.log(
    `${gigabytes} GB, ${runs} runs a side in turns, medians; ${cpus().length} × ${cpus()[0]?.model ?? arch()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`,
  );
  console.log(
    '| line | beside | dray s | beside s | ratio | CPU s/GB | written/byte | peak MB |\n|---|---|---:|---:|---:|---:|---:|---:|',
  );
  for (const { name, peer = '', seconds, reference, ratio, cpuSeconds, written, rssMB } of lines) {
    const cells = [
      name,
      peer,
      seconds.toFixed(2),
      reference?.toFixed(2) ?? '',
      ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
    ];
    console.log(
      `| ${[...cells, (cpuSeconds / gigabytes).toFixed(2), (written / bytes).toFixed(3), rssMB.toFixed(0)].join(' | ')} |`,
    );
  }
  const missing = ['hauler', 'zarf'].filter(
    (tool) => !(process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, tool))),
  );
  if (missing.length > 0) console.log(`\nNot installed, so not beside it: ${missing.join(', ')}.`);
}
