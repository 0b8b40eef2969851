import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeImages } from './payload.mjs';
import { dray, installed, shell } from './run.mjs';
import { freePort, startRegistry } from './servers.mjs';

const LOAD = {
  'openssl dgst && skopeo copy': [
    'skopeo',
    'openssl dgst -sha256 "$1"/blobs/sha256/* >/dev/null; for i in 0 1 2; do skopeo copy -q --preserve-digests --dest-tls-verify=false "oci:$1:registry.example/bench/image-$i:1" "docker://$2/bench/image-$i:1"; done',
  ],
  'openssl dgst && regctl image copy': [
    'regctl',
    'openssl dgst -sha256 "$1"/blobs/sha256/* >/dev/null; regctl registry set --tls disabled "$2" >/dev/null; i=0; for digest in "${@:4}"; do regctl image copy -v error "ocidir://$1@$digest" "$2/bench/image-$i:1"; i=$((i + 1)); done',
  ],
};

const FETCH = {
  'skopeo copy to oci:': [
    'skopeo',
    'for i in 0 1 2; do skopeo copy -q --src-tls-verify=false "docker://$2/bench/image-$i:1" "oci:$1/oci:image-$i"; done; sync -f "$1"',
  ],
  'crane pull --format=oci': [
    'crane',
    'crane pull --insecure --format=oci "$2/bench/image-0:1" "$2/bench/image-1:1" "$2/bench/image-2:1" "$1/oci"; sync -f "$1"',
  ],
  'regctl image copy': [
    'regctl',
    'regctl registry set --tls disabled "$2" >/dev/null; for i in 0 1 2; do regctl image copy -v error "$2/bench/image-$i:1" "ocidir://$1/oci:image-$i"; done; sync -f "$1"',
  ],
};

/** Images out of registries and into them. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, size, path, into }) {
  await makeImages(path('images'), { size, images: 3, layers: 2, small: 20 });
  // regctl takes no name with a slash in a layout.
  const digests = JSON.parse(readFileSync(path('images/index.json'), 'utf8')).manifests.map(({ digest }) => digest);
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const programs = ['docker-registry', 'registry'].filter((name) => installed(name) !== undefined);
  dray(['keygen', 'release', '--no-password'], work);
  writeManifest(path('local'), '{path: ../images}');
  writeManifest(path('remote'), [0, 1, 2].map((at) => `"${host}/bench/image-${at}:1"`).join(', '));
  dray(['pack', path('bundle'), '-f', path('local/dray.yaml'), '--key', 'release.key'], work);
  const regctl = { REGCTL_CONFIG: path('regctl.json') };

  /** A registry of its own for each run; starting it is not timed. */
  const withRegistry = (program, run) =>
    into((out) => {
      const stop = startRegistry(program, join(out, 'registry'), port);
      try {
        return run(out);
      } finally {
        stop();
      }
    });
  const load = (out) =>
    dray(
      ['load', path('bundle'), '--key', 'release.pub', '--to', `registry://${host}`, '--state', join(out, 'state')],
      work,
      [out],
    );
  const loads = (program) => ({
    name: `load → ${program}`,
    run: () => withRegistry(program, load),
    peers: mapped(LOAD, (script) =>
      withRegistry(program, (out) => shell(`${script}; sync -f "$3"`, [path('images'), host, out, ...digests], regctl)),
    ),
    floor: { ratio: { 'openssl dgst && skopeo copy': 1.5, 'openssl dgst && regctl image copy': 1.1 }, written: 0.01 },
    bytes: size,
  });
  /** One registry that has the images, for all runs of a line. */
  const fetches = (program) => {
    const from = (run) =>
      into((out) => {
        const stop = startRegistry(program, path(`${program}-full`), port);
        try {
          return run(out);
        } finally {
          stop();
        }
      });
    from(() => shell(LOAD['openssl dgst && skopeo copy'][1], [path('images'), host]));
    from(() => dray(['lock', '-f', path('remote/dray.yaml')], work));
    return {
      name: `fetch from ${program}`,
      run: () => from((out) => dray(['fetch', '-f', path('remote/dray.yaml'), '--store', join(out, 'store')], work)),
      peers: mapped(FETCH, (script) => from((out) => shell(script, [out, host], regctl))),
      floor: { ratio: { 'skopeo copy to oci:': 1.6, 'crane pull --format=oci': 1.2 }, written: 1.01 },
      bytes: size,
    };
  };
  return { lines: programs.flatMap((program) => [loads(program), fetches(program)]) };

  function writeManifest(directory, images) {
    shell('mkdir -p "$1"', [directory]);
    writeFileSync(
      join(directory, 'dray.yaml'),
      `apiVersion: drayage/v1\nkind: Manifest\nname: bench\nimages: [${images}]\n`,
    );
  }
}

function mapped(scripts, run) {
  return Object.fromEntries(
    Object.entries(scripts).map(([name, [needs, script]]) => [name, [needs, () => run(script)]]),
  );
}
