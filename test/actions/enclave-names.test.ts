import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { manifest, site, workplace } from '../support/enclave.ts';
import { dockerSave } from '../support/images.ts';

/** `lock --site` and `pack --site`: what an enclave's registry would call images, and whether it takes that. */

const place = workplace();
const REGISTRY = 'registry: registry.enclave.example:5000/mirror';
const saved = (name: string): Buffer => dockerSave([{ names: [name], layers: [name] }]);
place.write({
  'a.tar': saved('quay.example/team/app:1'),
  'b.tar': saved('ghcr.example/team/app:1'),
  'long.tar': saved('quay.example/team/app:2'),
  'dray.yaml': manifest('cargo', 'images: [{path: a.tar}, {path: b.tar}]\n'),
  'long.yaml': manifest('long', `images: [{path: long.tar, as: "team/${'x'.repeat(240)}:2"}]\n`),
  'path.yaml': site(`targets: [{${REGISTRY}}]\n`, 'keys: [release.pub]'),
  'full.yaml': site(`targets: [{${REGISTRY}, naming: full}]\n`, 'keys: [release.pub]'),
  'renamed.yaml': site(`targets: [{${REGISTRY}, rename: [{from: quay.example/, to: quay/}]}]\n`, 'keys: [release.pub]'),
});
await place.succeed(['keygen', 'release', '--no-password']);
await place.succeed(['lock']);

it.each([['lock'], ['pack', 'out', '--unsigned'], ['pack', 'out', '--dry-run']])(
  '%s: two images of one name there are an error that names both and the site',
  async (...words) => {
    const { message, where } = await place.fail([...words, '--site', 'path.yaml'], 2, 'name-collision');
    expect(message).toContain('quay.example/team/app:1 (images) and ghcr.example/team/app:1 (images)');
    expect(message).toContain('would both be registry.enclave.example:5000/mirror/team/app:1');
    expect(where).toMatchObject({ file: place.path('path.yaml'), artifact: 'ghcr.example/team/app:1' });
    expect(existsSync(place.path('out'))).toBe(false);
  },
);

it('all enclaves are asked, and the rules of each', async () => {
  await place.succeed(['lock', '--site', 'full.yaml', '--site', 'renamed.yaml']);
  const words = ['lock', '--site', 'full.yaml', '--site', 'path.yaml'];
  expect((await place.fail(words, 2, 'name-collision')).where).toMatchObject({ file: place.path('path.yaml') });
});

it('a name that no registry takes is an error, and no lock is written', async () => {
  const { message } = await place.fail(['lock', '-f', 'long.yaml', '--site', 'path.yaml'], 2, 'cannot-hold');
  expect(message).toContain('which is no name for a registry');
  expect(existsSync(place.path('long.lock'))).toBe(false);
});
