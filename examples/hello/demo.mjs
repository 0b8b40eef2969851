// From a manifest to a loaded enclave, on one machine: `npm run demo`, or `node examples/hello/demo.mjs [DIR]`.
// Needs Node and nothing else. Everything it writes is below DIR (default: out/ beside this file), made anew each time.

import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { twoSides } from '../shared/dray.mjs';
import { fromHere, print, say, stop } from '../shared/say.mjs';
import { buildCargo } from './cargo/build.mjs';

/** Small enough for two. */
const MEDIUM = '2MB';

const { out, connected, enclave } = twoSides(import.meta.dirname, ['chart', 'handbook']);

say('The connected side: what is to be carried');
for (const { path, is, bytes } of buildCargo(connected.path('cargo')))
  print(`built cargo/${path}, ${is}, ${bytes} bytes`);

say('A key pair: the public half goes to the enclave, by another way than the media');
await connected.dray('keygen', 'release', '--no-password');
cpSync(connected.path('release.pub'), enclave.path('release.pub'));

say('Pin everything: dray.lock is what a second person reviews');
await connected.dray('lock');

say(`Pack and sign, onto media of ${MEDIUM}`);
await connected.dray('pack', '../media', '--media', MEDIUM, '--key', 'release.key');

say('Verify every byte, before the media travel');
await connected.dray('verify', '../media', '--key', 'release.pub');

say('The enclave: whom it trusts and where things go stands in its own site.yaml');
await enclave.dray('load', '../media', '--site', 'site.yaml');
await enclave.dray('status', '--site', 'site.yaml');

say('What went where: all of it is in the enclave as it left, byte for byte');
for (const [from, to] of sameOnBothSides()) print(`enclave/${to}  from connected/${from}`);
for (const tag of tagsOf('oci/index.json')) print(`enclave/oci  has ${tag}`);

const here = fromHere(out);
say('Look at it');
print(`ls -R ${here}
cat ${here}/connected/dray.lock
cat ${here}/media/hello-1-1of2/READ-ME.txt
(cd ${here}/media/hello-1-1of2 && sha256sum -c --strict SHA256SUMS)
tar -tf ${here}/media/hello-1-2of2/hello-1.v0002.tar`);
say('and, with the tools for it');
print(`skopeo inspect oci:${here}/enclave/oci:hello.example/greeter:1.0.0
skopeo copy oci:${here}/enclave/oci:hello.example/greeter:1.0.0 docker-daemon:greeter:1.0.0 && docker run --rm greeter:1.0.0
pip install --no-index --find-links ${here}/enclave/files/tools hello-greeter
hello-greeter ${here}/enclave/models/hello/tiny-random-llama`);

/** Ordinary files that were carried, and where they are now. Ends where one of them is another. */
function sameOnBothSides() {
  const pairs = [
    ['cargo/tiny-random-llama', 'models/hello/tiny-random-llama'],
    ['cargo/wheels', 'files/tools'],
    ['handbook', 'files/handbook'],
  ].flatMap(([from, to]) => readdirSync(connected.path(from)).map((name) => [`${from}/${name}`, `${to}/${name}`]));
  const all = [...pairs, ['cargo/primes.txt', 'files/data/primes.txt']];
  for (const [from, to] of all)
    if (!readFileSync(connected.path(from)).equals(readFileSync(enclave.path(to)))) stop(`${to} is not ${from}`);
  return all;
}

function tagsOf(index) {
  const { manifests } = JSON.parse(enclave.read(index));
  return manifests.map(({ annotations }) => annotations['org.opencontainers.image.ref.name']);
}
