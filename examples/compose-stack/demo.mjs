// The images of a compose file, from public registries (played on this machine) into an enclave: `node
// examples/compose-stack/demo.mjs [DIR] [REGISTRY]`. Needs Node and nothing else; everything it writes is below DIR (default:
// out/ beside this file), made anew each time. With REGISTRY, such as 127.0.0.1:5000, the images go there.

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { destination, twoSides } from '../shared/dray.mjs';
import { startRegistry } from '../shared/registry.mjs';
import { fromHere, print, say } from '../shared/say.mjs';
import { publicRegistries } from './upstream/images.mjs';

const HERE = import.meta.dirname;
const registry = process.argv[3];
const { connected, enclave } = twoSides(HERE);

say('The public registries are played here: upstreams.yaml leads to them, the manifest does not know of it');
const upstream = publicRegistries();
const url = await startRegistry(upstream);
print(connected.mirror({ 'docker.io': `${url}/docker.io`, 'quay.io': `${url}/quay.io` }));

say('Pin: what each tag stands for today');
await connected.dray('lock');
say('A month later: milvus follows its range, everything else stays');
await connected.dray('lock', '--upgrade', 'docker.io/milvusdb/*');

say('Pack, and look at what travels: the digest that each tag stands for, and what came beside it');
await connected.dray('keygen', 'release', '--no-password');
await connected.dray('pack', '../media', '--key', 'release.key');
await connected.dray('inspect', '../media', '--key', 'release.pub', '--images');
await connected.dray('inspect', '../media', '--key', 'release.pub', '--tree', '--images');

say('The enclave');
cpSync(connected.path('release.pub'), enclave.path('release.pub'));
enclave.write('redis.pub', upstream.publicKey);
const { delivered } = await enclave.drayJson('load', '../media', ...destination(registry));
for (const { state, name, digest } of delivered) print(`${state}  ${name}  ${digest}`);

say('Deploy by digest: the same services, with the images that were loaded');
const compose = byDigest(readFileSync(join(HERE, 'compose.yaml'), 'utf8'));
enclave.write('compose.yaml', compose);
print(`grep image: ${fromHere(enclave.path('compose.yaml'))}`);
for (const line of compose.split('\n')) if (/^ +image:/.test(line)) print(line);

/** Each image by the digest under which it stands in the enclave, whatever version it is by now. */
function byDigest(text) {
  return text.replace(/^( +image: )(\S+)$/gm, (line, key, reference) => {
    const repository = reference.slice(0, reference.lastIndexOf(':'));
    const found = delivered.find(({ artifact }) => artifact.startsWith(`${repository}:`));
    return found === undefined ? line : `${key}${found.name.slice(0, found.name.lastIndexOf(':'))}@${found.digest}`;
  });
}
