// NVIDIA's GPU Operator, from NGC (played on this machine) into an enclave: `node examples/gpu-operator/demo.mjs [DIR]
// [REGISTRY]`. Needs Node and nothing else; everything it writes is below DIR (default: out/ beside this file), made anew
// each time. With REGISTRY, such as 127.0.0.1:5000, chart and images go there.

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { destination, twoSides } from '../shared/dray.mjs';
import { publishedImages } from '../shared/images.mjs';
import { startRegistry } from '../shared/registry.mjs';
import { fromHere, print, say } from '../shared/say.mjs';
import { startRepository } from './upstream/repository.mjs';

const HERE = import.meta.dirname;
const registry = process.argv[3];
const { connected, enclave } = twoSides(HERE);

say('NGC and the registries are played here: upstreams.yaml leads to them, the manifest does not know of it');
const images = await startRegistry(publishedImages(join(HERE, 'dray.yaml'), ['nvcr.io', 'registry.k8s.io']));
print(
  connected.mirror({
    'helm.ngc.nvidia.com': await startRepository(),
    'nvcr.io': `${images}/nvcr.io`,
    'registry.k8s.io': `${images}/registry.k8s.io`,
  }),
);

say('Pin: which chart ~25.10 is today, and what each tag stands for');
await connected.dray('lock');

say('Pack, and look at what travels');
await connected.dray('keygen', 'release', '--no-password');
await connected.dray('pack', '../media', '--key', 'release.key');
await connected.dray('inspect', '../media', '--key', 'release.pub');

say('The enclave');
cpSync(connected.path('release.pub'), enclave.path('release.pub'));
await enclave.dray('load', '../media', ...destination(registry));

say('Install it: the chart from the registry, with values that name no other one');
const place = `${registry ?? 'registry.enclave.example:5000'}/mirror`;
enclave.write('values.yaml', readFileSync(join(HERE, 'values.yaml'), 'utf8').replaceAll('REGISTRY', place));
const version = /charts\/gpu-operator:(\S+)/.exec(connected.read('dray.lock'))?.[1];
const values = fromHere(enclave.path('values.yaml'));
print(`helm install gpu-operator oci://${place}/charts/gpu-operator --version ${version} -f ${values}`);
