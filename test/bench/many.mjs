import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFiles } from './payload.mjs';
import { dray, shell } from './run.mjs';

const COUNT = 10_000;
const SMALL = 4096;

/** Many small files. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, path, into }) {
  await makeFiles(path('payload'), COUNT * SMALL, COUNT);
  shell('tar -cf "$1" -C "$2" .', [path('payload.tar'), path('payload')]);
  writeFileSync(path('dray.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: many\nfiles: [payload]\n');
  dray(['keygen', 'release', '--no-password'], work);
  dray(['pack', 'bundle', '--key', 'release.key'], work);
  const load = (out) =>
    dray(
      ['load', 'bundle', '--key', 'release.pub', '--to', `directory:${join(out, 'to')}`, '--state', join(out, 'state')],
      work,
    );
  const UNPACK = 'tar -xf "$1" -C "$2"; sync -f "$2"; openssl dgst -sha256 "$2"/* >/dev/null';
  load(path('there'));
  const bytes = COUNT * SMALL;
  return {
    lines: [
      {
        name: `load → directory, ${COUNT} files of 4 KiB`,
        run: () => into(load),
        peers: {
          'tar xf; sync; openssl dgst': ['openssl', () => into((out) => shell(UNPACK, [path('payload.tar'), out]))],
        },
        floor: { ratio: 0.67 },
        bytes,
      },
      {
        name: `load again, ${COUNT} blobs present`,
        run: () => load(path('there')),
        floor: { seconds: (2 * COUNT) / 1000 },
        bytes,
      },
      {
        name: `inspect, ${COUNT} blobs`,
        run: () => dray(['inspect', 'bundle', '--key', 'release.pub'], work),
        floor: { seconds: 0.3 },
        bytes,
      },
      { name: `verify, ${COUNT} blobs`, run: () => dray(['verify', 'bundle', '--key', 'release.pub'], work), bytes },
    ],
  };
}
