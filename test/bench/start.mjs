import { writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DRAY, dray, startUp } from './run.mjs';
import { freePort } from './servers.mjs';

const UPLOAD = join(import.meta.dirname, 'first-byte.mjs');

/** What it takes to begin. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, path }) {
  writeFileSync(path('note.txt'), 'a note\n');
  writeFileSync(path('dray.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: start\nfiles: [note.txt]\n');
  dray(['keygen', 'release', '--no-password'], work);
  dray(['pack', 'bundle', '--key', 'release.key'], work);
  const port = await freePort();
  const counted = (seconds) => ({ seconds, cpu: null, peak: null, written: null, read: null });
  const firstByte = () => {
    const words = [UPLOAD, String(port), DRAY, path('bundle'), path('release.pub'), path('state')];
    return counted(Number(spawnSync(process.execPath, words, { encoding: 'utf8' }).stdout));
  };
  const bare = () => counted(startUp(['-e', '0']));
  return {
    lines: [
      {
        name: 'dray --version',
        run: () => counted(startUp([DRAY, '--version'])),
        peers: { 'node -e 0': ['node', bare] },
        rounds: 20,
        bytes: 0,
      },
      { name: 'load: until the first byte is sent', run: firstByte, floor: { seconds: 0.5 }, rounds: 10, bytes: 0 },
    ],
  };
}
