import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { existsSync, readFileSync } from 'node:fs';
import { workplace } from '../support/enclave.ts';
import { startHub } from '../support/hugging-face.ts';
import type { LoopbackHub } from '../support/hugging-face.ts';
import { weightsFile } from '../support/safetensors.ts';
import { noHubClient, withHubClient } from '../support/hub-client.ts';

const WEIGHTS = weightsFile(2_500_000, 'weights');

describe('a model and a dataset of a Hub, from one side to the other', () => {
  const at = workplace();
  let hub: LoopbackHub;
  const env = (): { readonly env: Readonly<Record<string, string>> } => ({
    env: { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_good' },
  });
  const publish = (config: string): string =>
    hub.publish({
      path: 'Org/Model',
      files: {
        'README.md': '# card',
        'config.json': config,
        'model.safetensors': { content: WEIGHTS, lfs: true },
        'old.bin': 'pickled',
      },
      revisions: ['main'],
      card: { license: 'apache-2.0' },
      gated: true,
    });
  beforeAll(async () => {
    hub = await startHub();
    hub.tokens.set('hf_good', ['Org/Model']);
    publish('{"v": 1}');
    hub.publish({ path: 'datasets/org/data', files: { 'train.csv': 'a,b\n' }, revisions: ['v1'] });
    at.write({
      'dray.yaml':
        'apiVersion: drayage/v1\nkind: Manifest\nname: hub\nmodels: [{hf: Org/Model, exclude: "*.bin"}]\nfiles: [hf://datasets/org/data@v1]\n',
      'site.yaml':
        'apiVersion: drayage/v1\nkind: Site\nname: e\ntrust: {keys: [release.pub]}\nstate: state\ntargets: [{modelCache: hub, layout: hf, take: [models, files]}]\n',
    });
    await at.succeed(['keygen', 'release', '--no-password']);
  });
  afterAll(() => hub.stop());

  it('is locked, packed over several media, and loaded disc by disc', async () => {
    await at.succeed(['lock', '--site', 'site.yaml'], env());
    const lock = readFileSync(at.path('dray.lock'), 'utf8');
    expect(lock).not.toContain('hf_good');
    expect(lock).not.toContain('old.bin');
    await at.succeed(['pack', 'media', '--media', '1MB', '--key', 'release.key'], env());
    const loaded = await at.succeed(['load', 'media', '--site', 'site.yaml']);
    expect(loaded['delivered']).toMatchObject([
      { artifact: 'Org/Model', name: 'models--Org--Model', state: 'sent' },
      { artifact: 'datasets/org/data', name: 'datasets--org--data', state: 'sent' },
    ]);
    expect((await at.succeed(['load', 'media', '--site', 'site.yaml']))['delivered']).toMatchObject([
      { state: 'present' },
      { state: 'present' },
    ]);
    expect(hub.shown.store.size).toBe(0);
  });

  it('moves with lock --upgrade, and the newer commit takes the place of the older one', async () => {
    const before = readFileSync(at.path('hub/models--Org--Model/refs/main'), 'utf8');
    const commit = publish('{"v": 2}');
    await at.succeed(['lock'], env());
    expect(readFileSync(at.path('dray.lock'), 'utf8')).toContain(before);
    await at.succeed(['lock', '--upgrade', 'Org/Model'], env());
    await at.succeed(['pack', 'next', '--key', 'release.key'], env());
    await at.succeed(['load', 'next', '--site', 'site.yaml']);
    expect(readFileSync(at.path('hub/models--Org--Model/refs/main'), 'utf8')).toBe(commit);
    expect(existsSync(at.path('hub/models--Org--Model/snapshots', before))).toBe(false);
  });

  it.skipIf(noHubClient !== '')(`is found by the real client, offline${noHubClient}`, async () => {
    const found = await withHubClient(
      { home: at.path('home'), cache: at.path('hub') },
      `
path = hub.snapshot_download('Org/Model')
print(json.dumps([
  sorted(os.listdir(path)),
  json.load(open(hub.hf_hub_download('Org/Model', 'config.json')))['v'],
  os.path.getsize(hub.try_to_load_from_cache('Org/Model', 'model.safetensors')),
  open(hub.hf_hub_download('org/data', 'train.csv', repo_type='dataset', revision='v1')).read(),
]))`,
    );
    expect(found).toEqual([['README.md', 'config.json', 'model.safetensors'], 2, WEIGHTS.length, 'a,b\n']);
  });

  it('cannot go into such a cache where it is a directory of this machine: said before the first byte', async () => {
    at.write({
      'own/config.json': '{}',
      'own.yaml': 'apiVersion: drayage/v1\nkind: Manifest\nname: own\nmodels: [{path: own, as: example/own}]\n',
    });
    const { message } = await at.fail(['lock', '-f', 'own.yaml', '--site', 'site.yaml'], 2, 'cannot-hold');
    expect(message).toContain('cannot hold example/own: it is not from a Hugging Face Hub');
    await at.succeed(['pack', 'own-media', '-f', 'own.yaml', '--key', 'release.key']);
    await at.fail(['load', 'own-media', '--site', 'site.yaml'], 2, 'cannot-hold');
  });

  it('is refused by a clear word where nobody is logged in', async () => {
    const { hint } = await at.fail(['lock', '--upgrade'], 16, 'login-refused', { env: { HF_ENDPOINT: hub.url } });
    expect(hint).toContain(`accept the licence at ${hub.url}/Org/Model`);
  });
});
