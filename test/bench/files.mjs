import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFiles } from './payload.mjs';
import { dray, shell } from './run.mjs';

const COPY = 'cp "$1"/* "$2"; sync "$2"/*; openssl dgst -sha256 "$2"/* >/dev/null';
const DIGEST = 'openssl dgst -sha256 "$1"/* >/dev/null';

/** Large files: verified, packed, loaded into directories. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, size, path, into }) {
  await makeFiles(path('payload'), size, 4);
  writeFileSync(path('dray.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: bench\nfiles: ["payload/*.bin"]\n');
  dray(['keygen', 'release', '--no-password'], work);
  dray(['lock'], work);
  const pack = (out, format) => dray(['pack', out, '--format', format, '--key', 'release.key'], work);
  for (const format of ['archive', 'directory']) pack(format, format);
  const load = (format, target, out) =>
    dray(
      ['load', format, '--key', 'release.pub', '--to', `${target}:${join(out, 'to')}`, '--state', join(out, 'state')],
      work,
    );
  const copied = () => into((out) => shell(COPY, [path('payload'), out]));
  const beside = { 'cp; sync; openssl dgst -sha256': ['openssl', copied] };
  const digested = { 'openssl dgst -sha256': ['openssl', () => shell(DIGEST, [path('payload')])] };
  const verify = (format) => dray(['verify', format, '--key', 'release.pub'], work);
  const bytes = size;
  const line = (name, run, peers, floor) => ({ name, run, peers, floor, bytes });
  return {
    lines: [
      line('verify, directory format, warm', () => verify('directory'), digested, { ratio: 1, cpu: 0.9 }),
      line('verify, archive format, warm', () => verify('archive'), digested, { ratio: 0.95, cpu: 1.1 }),
      line('pack, archive', () => into((out) => pack(out, 'archive')), beside, { ratio: 1.5, cpu: 1.6, written: 1.01 }),
      line('pack, directory format', () => into((out) => pack(out, 'directory')), beside, {}),
      line('load → directory', () => into((out) => load('archive', 'directory', out)), beside, {
        ratio: 1.3,
        written: 1.01,
      }),
      line('load → OCI layout', () => into((out) => load('archive', 'oci-layout', out)), beside, {}),
    ],
  };
}
