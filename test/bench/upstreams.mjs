import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { wheel } from '../../examples/hello/cargo/wheel.mjs';
import { makeFiles } from './payload.mjs';
import { dray, shell } from './run.mjs';
import { freePort, startScript } from './servers.mjs';

const WHEELS = 500;
const LATENCY = 20;
const COMMIT = '0123456789abcdef0123456789abcdef01234567';

const CURL =
  'cd "$1"; for file in $3; do curl -sSL -o "$file" "$2$file"; done; sync *.bin; openssl dgst -sha256 *.bin >/dev/null';
const HF = 'hf download "bench/$1" --local-dir "$2" >/dev/null; sync -f "$2"';
const PIP =
  'python3 -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: --index-url "$1" -d "$2" -r "$3"; sync -f "$2"';

/** Models and wheels, from upstreams that are played. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, size, path, into }) {
  const [port, cdnPort] = [await freePort(), await freePort()];
  const endpoint = `http://127.0.0.1:${port}`;
  Object.assign(process.env, { HF_ENDPOINT: endpoint, NGC_ENDPOINT: endpoint, HF_HUB_DISABLE_XET: '1' });
  const models = { one: await makeModel(path('one'), size, 1), eight: await makeModel(path('eight'), size, 8) };
  const wheels = makeWheels(path('wheels'), path('project'));
  writeFileSync(path('hub.json'), JSON.stringify({ commit: COMMIT, models, wheels }));
  const stop = startScript('hub.mjs', [port, cdnPort, work, LATENCY], `${endpoint}/`);
  const requirements = path('requirements.txt');
  const pins = Object.entries(wheels).map(([name, [{ sha256 }]]) => `${name}==1.0 --hash=sha256:${sha256}\n`);
  writeFileSync(requirements, pins.join(''));
  for (const name of Object.keys(models)) {
    manifest(`hf-${name}`, `models: ["hf://bench/${name}"]`);
    manifest(`ngc-${name}`, `models: ["ngc://bench/${name}:1"]`);
    dray(['lock', '-f', path(`hf-${name}`, 'dray.yaml')], work);
  }
  const index = `index: "${endpoint}/simple"`;
  manifest('wheelhouse', `wheels: [{name: w, requirements: ../requirements.txt, python: 3.12, ${index}}]`);

  const fetched = (name) => (out) =>
    dray(['fetch', '-f', path(name, 'dray.yaml'), '--store', join(out, 'store')], work);
  /** NGC states no SHA-256: its files are streamed at lock. */
  const locked = (name) => (out) => {
    writeFileSync(join(out, 'dray.yaml'), readFileSync(path(name, 'dray.yaml'), 'utf8').replaceAll('../', `${work}/`));
    return dray(['lock', '-f', join(out, 'dray.yaml')], out);
  };
  const both = (name) => (out) => sum(locked(name)(out), dray(['fetch', '-f', join(out, 'dray.yaml')], out));
  const curl = (name) => () =>
    into((out) =>
      shell(CURL, [
        out,
        `http://127.0.0.1:${cdnPort}/cdn/${name}/`,
        models[name].map(({ path: file }) => file).join(' '),
      ]),
    );
  const what = { one: 'one file', eight: 'eight files' };
  const line = (name, run, peers, ratio, bytes = size) => ({
    name,
    run: () => into(run),
    peers,
    floor: { ratio, written: 1.01 },
    bytes,
  });
  return {
    close: stop,
    lines: [
      ...Object.keys(models).flatMap((name) => [
        line(
          `fetch from Hugging Face, ${what[name]}`,
          fetched(`hf-${name}`),
          {
            'curl; sync; openssl dgst': ['curl', curl(name)],
            'hf download; sync': ['hf', () => into((out) => shell(HF, [name, out], { HF_HOME: join(out, 'home') }))],
          },
          1.5,
        ),
        line(
          `lock from NGC, ${what[name]}`,
          locked(`ngc-${name}`),
          { 'curl; sync; openssl dgst': ['curl', curl(name)] },
          1.5,
        ),
      ]),
      {
        ...line(
          `lock and fetch of ${WHEELS} wheels, ${LATENCY} ms away`,
          both('wheelhouse'),
          { 'pip download': ['python3', () => into((out) => shell(PIP, [`${endpoint}/simple`, out, requirements]))] },
          3,
          0,
        ),
        rounds: 2,
      },
    ],
  };

  function manifest(directory, lines) {
    mkdirSync(path(directory), { recursive: true });
    writeFileSync(
      path(directory, 'dray.yaml'),
      `apiVersion: drayage/v1\nkind: Manifest\nname: bench\nplatforms: [linux/amd64]\n${lines}\n`,
    );
  }
}

async function makeModel(directory, size, count) {
  const files = await makeFiles(directory, size, count);
  return files.map((file) => {
    const sha256 = shell('openssl dgst -sha256 -r "$1" > "$1.sum"', [file]) && digestIn(`${file}.sum`);
    const own = Math.ceil(size / count);
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${own}\n`;
    const git = createHash('sha1').update(`blob ${pointer.length}\0${pointer}`).digest('hex');
    return { path: basename(file), size: own, sha256, git };
  });
}

function digestIn(file) {
  return readFileSync(file, 'utf8').slice(0, 64);
}

/** By project name, each with one wheel. */
function makeWheels(directory, project) {
  mkdirSync(directory);
  const made = {};
  for (let at = 0; at < WHEELS; at++) {
    const name = `bench_${at}`;
    mkdirSync(join(project, name), { recursive: true });
    writeFileSync(join(project, name, '__init__.py'), `NUMBER = ${at}\n`);
    const { file, content } = wheel({ directory: project, package: name, version: '1.0', summary: 'for a bench' });
    writeFileSync(join(directory, file), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    made[name.replace('_', '-')] = [{ file, sha256, size: content.length }];
  }
  if (readdirSync(directory).length !== WHEELS) throw new Error(`expected ${WHEELS} wheels`);
  return made;
}

function sum(one, other) {
  const added = (key) => (one[key] === null || other[key] === null ? null : one[key] + other[key]);
  return {
    seconds: added('seconds'),
    cpu: added('cpu'),
    peak: Math.max(one.peak, other.peak),
    written: added('written'),
    read: added('read'),
  };
}
