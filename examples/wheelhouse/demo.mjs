// Python wheels from two package indexes (played on this machine) into an enclave: `node examples/wheelhouse/demo.mjs [DIR]`.
// Needs Node and nothing else; everything it writes is below DIR (default: out/ beside this file), made anew each time.

import { cpSync } from 'node:fs';
import { twoSides } from '../shared/dray.mjs';
import { fromHere, print, say } from '../shared/say.mjs';
import { startIndexes } from './upstream/index.mjs';

const { connected, enclave } = twoSides(import.meta.dirname, ['requirements.txt', 'pylock.toml']);

say('The indexes are played here: upstreams.yaml leads to them, the manifest does not know of it');
print(connected.mirror({ 'wheels.example': await startIndexes() }));

say('Pin: the wheels that Python 3.11 and 3.12 would take on x86 and on ARM, whatever runs here');
await connected.dray('lock');
for (const [, file] of connected.read('dray.lock').matchAll(/title: (torch\S+whl)/g)) print(file);

say('Pack, and look at what travels');
await connected.dray('keygen', 'release', '--no-password');
await connected.dray('pack', '../media', '--key', 'release.key');
await connected.dray('inspect', '../media', '--key', 'release.pub');

say('The enclave');
cpSync(connected.path('release.pub'), enclave.path('release.pub'));
await enclave.dray('load', '../media', '--site', 'site.yaml');

print(`\npip install --no-index --find-links ${fromHere(enclave.path('files', 'training'))} torch safetensors`);
print(`pip install --index-url file://${enclave.path('files', 'service', 'simple')} fastapi`);
