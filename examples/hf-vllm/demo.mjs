// A language model from Hugging Face (played on this machine) into an enclave, as the cache from which vLLM serves it offline:
// `node examples/hf-vllm/demo.mjs [DIR]`. Needs Node and nothing else; everything it writes is below DIR (default: out/ beside
// this file), made anew each time.

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { twoSides } from '../shared/dray.mjs';
import { publishedImages } from '../shared/images.mjs';
import { startRegistry } from '../shared/registry.mjs';
import { fromHere, print, say } from '../shared/say.mjs';
import { startHub } from './upstream/hub.mjs';

const HERE = import.meta.dirname;
const { connected, enclave } = twoSides(HERE);

say(
  'Hugging Face and Docker Hub are played here: HF_ENDPOINT and upstreams.yaml lead to them, the manifest does not know of it',
);
const images = await startRegistry(publishedImages(join(HERE, 'dray.yaml'), ['docker.io']));
connected.mirror({ 'docker.io': `${images}/docker.io` });
connected.set({ HF_ENDPOINT: await startHub() });

say('Pin: which commit main is today, and the SHA-256 of every file');
await connected.dray('lock');
const [about = ''] = /about:\n(?: {6}.*\n)+/.exec(connected.read('dray.lock')) ?? [];
print(about.trimEnd());

say('Pack, and look at what travels');
await connected.dray('keygen', 'release', '--no-password');
await connected.dray('pack', '../media', '--key', 'release.key');
await connected.dray('inspect', '../media', '--key', 'release.pub');

say('The enclave: the cache of huggingface_hub, as if it had been filled here');
cpSync(connected.path('release.pub'), enclave.path('release.pub'));
await enclave.dray('load', '../media', '--site', 'site.yaml');

say('Serve it');
const cache = enclave.path('hub');
const deployment = readFileSync(join(HERE, 'vllm.yaml'), 'utf8');
enclave.write(
  'vllm.yaml',
  deployment.replaceAll('REGISTRY', 'registry.enclave.example:5000/mirror').replaceAll('CACHE', cache),
);
print(`kubectl apply -f ${fromHere(enclave.path('vllm.yaml'))}`);
print(`HF_HUB_OFFLINE=1 HF_HUB_CACHE=${fromHere(cache)} vllm serve nvidia/Llama-3.1-Nemotron-Nano-8B-v1`);
