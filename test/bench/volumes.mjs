import { writeFileSync } from 'node:fs';
import { makeImages } from './payload.mjs';
import { dray, installed, shell } from './run.mjs';
import { freePort, startRegistry } from './servers.mjs';

const SAVE = 'cd "$2"; hauler store save --store "$1" --chunk-size 700M; sync -f "$2"';
const CREATE = 'cd "$1"; zarf package create . -m 700 -o "$2" --confirm --insecure --plain-http; sync -f "$2"';

/** Images cut into volumes of 700 MB, beside the peers that do that. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, size, path, into }) {
  const names = await makeImages(path('images'), { size, images: 3, layers: 2 });
  writeFileSync(path('dray.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: bench\nimages: [{path: images}]\n');
  dray(['keygen', 'release', '--no-password'], work);
  dray(['lock'], work);
  const pack = () => into((out) => dray(['pack', out, '--media', '700MB', '--key', 'release.key'], work));
  const stop = await preparePeers({ names, path });
  return {
    close: stop,
    lines: [
      {
        name: 'pack, volumes of 700 MB',
        run: pack,
        peers: {
          'hauler store save --chunk-size 700M': ['hauler', () => into((out) => shell(SAVE, [path('haul'), out]))],
          'zarf package create -m 700': ['zarf', () => into((out) => shell(CREATE, [path('zarf'), out]))],
        },
        bytes: size,
        floor: {
          ratio: { 'hauler store save --chunk-size 700M': 2.5, 'zarf package create -m 700': 5 },
          written: 1.01,
        },
      },
    ],
  };
}

/** Hauler and Zarf take images from a registry only. */
async function preparePeers({ names, path }) {
  const wanted = ['hauler', 'zarf'].filter((name) => installed(name) !== undefined);
  if (wanted.length === 0) return () => undefined;
  const port = await freePort();
  const stop = startRegistry('docker-registry', path('registry'), port);
  const references = names.map((name) => name.replace('registry.example', `127.0.0.1:${port}`));
  for (const [at, name] of names.entries())
    shell('skopeo copy -q --preserve-digests --dest-tls-verify=false "oci:$1:$2" "docker://$3"', [
      path('images'),
      name,
      references[at],
    ]);
  if (wanted.includes('hauler'))
    for (const reference of references) shell('hauler store add image "$1" --store "$2"', [reference, path('haul')]);
  const component = { name: 'bench', required: true, images: references };
  const definition = { kind: 'ZarfPackageConfig', metadata: { name: 'bench', version: '1', architecture: 'amd64' } };
  shell('mkdir -p "$1"', [path('zarf')]);
  writeFileSync(path('zarf/zarf.yaml'), JSON.stringify({ ...definition, components: [component] }));
  return stop;
}
