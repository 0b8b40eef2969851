import { beforeEach, describe, expect, it } from 'vitest';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { imageRefSource } from '../../src/sources/images/ref.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { imageEntry, present } from '../support/image-sources.ts';
import { image } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { at, bundleOf, imagesLock } from '../support/imgpkg.ts';
import { cosigned, tagFor } from '../support/signatures.ts';
import { bench } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const REPOSITORY = 'registry.example/team/bundle';
const app = image({ docker: true, layers: ['app'] });
const inner = bundleOf(imagesLock([at('other.example/app', app)]));
const bundle = bundleOf(imagesLock([at('other.example/app', app), at('other.example/inner', inner)]));
const list = image({ docker: true, layers: ['the list of imgpkg'] });
const signature = cosigned(app);
const digest = ({ root }: BuiltImage): string => root.descriptor.digest;

let registry: FakeRegistry;
let bed: TestBench;
beforeEach(() => {
  registry = fakeRegistry();
  registry.push(`${REPOSITORY}:v1`, bundle);
  bed = bench('/nowhere', registry.network);
});

async function lock(more: Partial<Entry> = {}): Promise<LockedArtifact> {
  const [locked] = await imageRefSource.resolve(imageEntry('ref', `${REPOSITORY}:v1`, more), bed.store, bed.env);
  return locked!;
}

describe('an imgpkg bundle in a registry', () => {
  it('that was copied there is carried with every image that it names, bundles in it too', async () => {
    registry.push(`${REPOSITORY}@${digest(app)}`, app);
    registry.push(`${REPOSITORY}:${tagFor(inner, '.imgpkg')}`, inner);
    registry.push(`${REPOSITORY}:${tagFor(bundle, '.image-locations.imgpkg')}`, list);
    registry.push(`${REPOSITORY}:${tagFor(app, '.sig')}`, signature);
    const locked = await lock();
    expect(locked.parts.map((part) => [part.digest, part.tag])).toEqual([
      [digest(bundle), tagFor(bundle, '.imgpkg')],
      [digest(app), tagFor(app, '.imgpkg')],
      [digest(inner), tagFor(inner, '.imgpkg')],
      [digest(list), tagFor(bundle, '.image-locations.imgpkg')],
      [digest(signature), tagFor(app, '.sig')],
    ]);
    const emptied = memoryStore();
    await imageRefSource.fetch(locked, emptied, bench('/nowhere', registry.network, emptied).env);
    expect(await present(emptied, locked.blobs)).toHaveLength(locked.blobs.length);
    expect((await lock({ referrers: false })).parts).toHaveLength(4);
  });

  it('whose images are elsewhere is carried alone, with a warning that says what to do', async () => {
    expect((await lock()).parts).toEqual([]);
    const warnings = bed.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
    expect(warnings).toEqual([
      expect.stringMatching(/2 of the 2 images that it names are not in its own repository.*imgpkg copy -b/),
    ]);
  });

  it('with a list that is none is upstream’s fault', async () => {
    registry.push(`${REPOSITORY}:v1`, bundleOf('kind: BundleLock\n'));
    await expect(lock()).rejects.toMatchObject({ code: 'upstream-invalid' });
  });
});
