import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import { REF_NAME } from '../../src/oci/media-types.ts';
import { imagePathSource } from '../../src/sources/images/path.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { imageEntry, present } from '../support/image-sources.ts';
import { image, index, layoutFiles, layoutTar, writeFiles } from '../support/images.ts';
import type { BuiltImage, LaidImage } from '../support/images.ts';
import { SIGSTORE_BUNDLE, cosigned, listOf, notation, referrer, tagFor } from '../support/signatures.ts';
import { bench } from '../support/source-environment.ts';
import type { TestBench } from '../support/source-environment.ts';

const NAME = 'registry.example/team/app';
const amd = image({ layers: ['amd64'] });
const arm = image({ platform: 'linux/arm64', layers: ['arm64'] });
const both = index([
  { image: amd, platform: 'linux/amd64' },
  { image: arm, platform: 'linux/arm64' },
]);
const signature = cosigned(both);
const ofChild = cosigned(amd);
const bundle = referrer(both);
const ofBundle = notation(bundle);
const listed = referrer(arm);

const named = (laid: BuiltImage, name: string): LaidImage => ({ image: laid, annotations: { [REF_NAME]: name } });
const LAID: readonly LaidImage[] = [
  named(both, `${NAME}:1`),
  named(signature, `${NAME}:${tagFor(both, '.sig')}`),
  named(ofChild, tagFor(amd, '.sig')),
  { image: bundle },
  { image: ofBundle },
  named(listOf([listed]), `${NAME}:${tagFor(arm)}`),
];

let directory: string;
let store: BlobStore;
let at: TestBench;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  store = memoryStore();
  at = bench(directory, undefined, store);
});
afterEach(() => rmSync(directory, { recursive: true }));

const WRITERS: readonly (readonly [string, (laid: readonly LaidImage[]) => string])[] = [
  ['a directory', (laid) => writeFiles(join(directory, 'layout'), layoutFiles(laid))],
  ['a tar', (laid) => written('layout.tar', layoutTar(laid))],
  ['a gzipped tar', (laid) => written('layout.tgz', gzipSync(layoutTar(laid)))],
];

function written(name: string, bytes: Uint8Array): string {
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
}

async function lock(path: string, more: Partial<Entry> = {}): Promise<readonly LockedArtifact[]> {
  const found = await imagePathSource.resolve(imageEntry('path', path, more), store, at.env);
  return found.map((line) => LockedArtifact.parse(line));
}

const digest = ({ root }: BuiltImage): string => root.descriptor.digest;

describe.each(WRITERS)('an OCI layout as %s', (_, write) => {
  it('is one image, and what it says of that image is carried with it', async () => {
    const [locked, ...more] = await lock(write(LAID));
    expect(more).toEqual([]);
    expect(locked).toMatchObject({ name: `${NAME}:1`, delivers: digest(both), referrers: 'carried' });
    const parts = locked!.parts.map((part) => [part.digest, part.subject, part.tag]);
    expect(parts).toEqual([
      [digest(signature), digest(both), tagFor(both, '.sig')],
      [digest(bundle), digest(both), undefined],
      [digest(ofChild), digest(amd), tagFor(amd, '.sig')],
      [digest(listed), digest(arm), undefined],
      [digest(ofBundle), digest(bundle), undefined],
    ]);
    expect(locked!.parts[1]).toMatchObject({ artifactType: SIGSTORE_BUNDLE });
    expect(await present(store, locked!.blobs)).toHaveLength(locked!.blobs.length);
    const emptied = memoryStore();
    await imagePathSource.fetch(locked!, emptied, bench(directory, undefined, emptied).env);
    expect(await present(emptied, locked!.blobs)).toHaveLength(locked!.blobs.length);
  });

  it('with one platform chosen has what applies to it, and says of the rest that it no longer does', async () => {
    const [locked] = await lock(write(LAID), { platforms: ['linux/amd64'] });
    expect(locked!.parts.map(({ digest: of, note }) => [of, note])).toEqual([
      [digest(signature), 'no longer applies'],
      [digest(bundle), 'no longer applies'],
      [digest(ofChild), undefined],
      [digest(ofBundle), 'no longer applies'],
    ]);
  });

  it('leaves them out for `referrers: false`, and still takes none of them for an image', async () => {
    const found = await lock(write(LAID), { referrers: false });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ referrers: 'left out', parts: [] });
  });
});

it('a signature that is not what its tag says is left out with a warning', async () => {
  const laid = [named(amd, `${NAME}:1`), named(cosigned(amd, 'application/x-other'), tagFor(amd, '.sig'))];
  const [locked] = await lock(WRITERS[0]![1](laid));
  expect(locked!.parts).toEqual([]);
  const warnings = at.events.filter(({ type }) => type === 'warning');
  expect(warnings).toHaveLength(1);
});

it('a signature of something that is not there is an image like any other', async () => {
  const path = WRITERS[0]![1]([named(amd, `${NAME}:1`), named(cosigned(arm), `${NAME}:${tagFor(arm, '.sig')}`)]);
  expect((await lock(path)).map(({ name }) => name)).toEqual([`${NAME}:1`, `${NAME}:${tagFor(arm, '.sig')}`]);
});

it('what refers to an image and has a name of its own is both', async () => {
  const sbom = referrer(amd, 'application/spdx+json');
  const found = await lock(WRITERS[0]![1]([named(amd, `${NAME}:1`), named(sbom, `${NAME}:sbom`)]));
  expect(found.map(({ name }) => name)).toEqual([`${NAME}:1`, `${NAME}:sbom`]);
  expect(found[0]!.parts.map((part) => part.digest)).toEqual([digest(sbom)]);
});

it('two signatures that sign each other end', async () => {
  // Digests cannot go in a circle; a signature of a signature of a signature is as near as it gets.
  const chain = [referrer(amd)];
  for (let depth = 0; depth < 6; depth++) chain.push(referrer(chain.at(-1)!));
  const path = WRITERS[0]![1]([named(amd, `${NAME}:1`), ...chain.map((laid) => ({ image: laid }))]);
  await expect(lock(path)).rejects.toThrow('expected at most 4 levels of them');
});
