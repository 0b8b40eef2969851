import { beforeEach, describe, expect, it } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import type { Event } from '../../src/context.ts';
import type { LockedArtifact } from '../../src/manifest/lock.ts';
import type { Entry } from '../../src/manifest/manifest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { imageRefSource } from '../../src/sources/images/ref.ts';
import { REFERRER_LIMITS } from '../../src/sources/images/referrers.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { imageEntry, present } from '../support/image-sources.ts';
import { attestation, built, image, index, pretty } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import {
  DSSE,
  NOTATION,
  SIGSTORE_BUNDLE,
  cosigned,
  listOf,
  notation,
  referrer,
  tagFor,
} from '../support/signatures.ts';
import { bench } from '../support/source-environment.ts';

const NAME = 'registry.example/team/app';
const amd = image({ layers: ['amd64'] });
const arm = image({ platform: 'linux/arm64', layers: ['arm64'] });
const both = index([
  { image: amd, platform: 'linux/amd64' },
  { image: arm, platform: 'linux/arm64' },
  attestation(amd),
  attestation(arm),
]);

let registry: FakeRegistry;
let store: BlobStore;
let events: Event[];
beforeEach(() => {
  registry = fakeRegistry();
  store = memoryStore();
  registry.push(`${NAME}:1`, both);
});

async function lock(more: Partial<Entry> = {}, tag = '1'): Promise<LockedArtifact> {
  const { env, events: told } = bench('/nowhere', registry.network, store);
  events = told;
  const [locked] = await imageRefSource.resolve(imageEntry('ref', `${NAME}:${tag}`, more), store, env);
  return locked!;
}

function warnings(): readonly string[] {
  return events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
}

function digest({ root }: BuiltImage): Digest {
  return root.descriptor.digest;
}

function push(images: readonly BuiltImage[]): void {
  for (const one of images) registry.push(`${NAME}@`, one);
}

/** As a registry with the API lists them. */
function list(of: BuiltImage, referrers: readonly BuiltImage[]): void {
  push(referrers);
  registry.referrers.set(
    digest(of),
    referrers.map(({ root }) => root.descriptor),
  );
}

/** Parts as `what of whom`, in their order. */
function parts({ parts: found }: LockedArtifact): readonly (readonly [Digest, Digest | undefined])[] {
  return found.map((part) => [part.digest, part.subject]);
}

describe('what refers to an image', () => {
  it('under the tags of cosign, of the index and of each child', async () => {
    const of = {
      index: cosigned(both),
      amd: cosigned(amd),
      att: cosigned(both, DSSE),
      sbom: cosigned(both, 'text/spdx+json'),
    };
    registry.push(`${NAME}:${tagFor(both, '.sig')}`, of.index);
    registry.push(`${NAME}:${tagFor(amd, '.sig')}`, of.amd);
    registry.push(`${NAME}:${tagFor(both, '.att')}`, of.att);
    registry.push(`${NAME}:${tagFor(both, '.sbom')}`, of.sbom);
    const locked = await lock();
    expect(locked.referrers).toBe('carried');
    expect(locked.parts).toEqual([
      { ...shape(of.index), subject: digest(both), tag: tagFor(both, '.sig') },
      { ...shape(of.att), subject: digest(both), tag: tagFor(both, '.att') },
      { ...shape(of.sbom), subject: digest(both), tag: tagFor(both, '.sbom') },
      { ...shape(of.amd), subject: digest(amd), tag: tagFor(amd, '.sig') },
    ]);
    expect(warnings()).toEqual([]);
  });

  it('in the registry’s own list, whatever its order', async () => {
    const [bundle, signature, sbom] = [referrer(both), notation(both), referrer(amd, 'application/spdx+json')];
    list(both, [bundle, signature]);
    list(amd, [sbom]);
    const locked = await lock();
    const ofIndex = [
      { ...shape(bundle), artifactType: SIGSTORE_BUNDLE, subject: digest(both) },
      { ...shape(signature), artifactType: NOTATION, subject: digest(both) },
    ].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    expect(locked.parts).toEqual([
      ...ofIndex,
      { ...shape(sbom), artifactType: 'application/spdx+json', subject: digest(amd) },
    ]);
    list(both, [signature, bundle]);
    expect(await lock()).toEqual(locked);
  });

  it('under the fallback tag, where the registry has no list', async () => {
    const [bundle, sbom] = [referrer(both), referrer(both, 'application/spdx+json')];
    push([bundle, sbom]);
    registry.push(`${NAME}:${tagFor(both)}`, listOf([bundle, sbom]));
    const locked = await lock();
    expect(new Set(parts(locked).map(([found]) => found))).toEqual(new Set([digest(bundle), digest(sbom)]));
    // The list itself is made anew wherever it is needed.
    expect(locked.blobs.map((blob) => blob.digest)).not.toContain(digest(listOf([bundle, sbom])));
  });

  it('is not looked for under the fallback tag where the registry has a list', async () => {
    list(amd, []);
    registry.push(`${NAME}:${tagFor(both)}`, listOf([referrer(both)]));
    expect((await lock()).parts).toEqual([]);
    expect(registry.asked).not.toContain(`head ${tagFor(both)}`);
  });

  it('also at one remove: the signature of an SBOM', async () => {
    const sbom = referrer(amd, 'application/spdx+json');
    const [signature, old] = [referrer(sbom), cosigned(sbom)];
    list(amd, [sbom]);
    list(sbom, [signature]);
    registry.push(`${NAME}:${tagFor(sbom, '.sig')}`, old);
    expect(parts(await lock())).toEqual([
      [digest(sbom), digest(amd)],
      [digest(old), digest(sbom)],
      [digest(signature), digest(sbom)],
    ]);
  });

  it('is fetched with the image, all of it', async () => {
    const bundle = referrer(both);
    list(both, [bundle]);
    registry.push(`${NAME}:${tagFor(arm, '.sig')}`, cosigned(arm));
    const locked = await lock();
    expect(locked.size).toBe(locked.blobs.reduce((sum, { size }) => sum + size, 0));
    await imageRefSource.fetch(locked, store, bench('/nowhere', registry.network, store).env);
    expect(await present(store, locked.blobs)).toEqual(locked.blobs.map((blob) => blob.digest));
    for (const of of [...bundle.blobs.keys(), ...cosigned(arm).blobs.keys()])
      expect(locked.blobs.map((blob) => blob.digest)).toContain(of);
  });

  it('is left alone with `referrers: false`: nothing is asked', async () => {
    list(both, [referrer(both)]);
    const locked = await lock({ referrers: false });
    expect(locked).toMatchObject({ referrers: 'left out', parts: [] });
    expect(registry.asked.filter((asked) => /^(?:head|referrers)/.test(asked))).toEqual([]);
  });

  it('is no part where it lies in the index already', async () => {
    const inside = referrer(amd, 'application/vnd.docker.attestation.manifest.v1+json');
    const whole = index([
      { image: amd, platform: 'linux/amd64' },
      { image: inside, platform: 'unknown/unknown' },
    ]);
    registry.push(`${NAME}:inside`, whole);
    list(amd, [inside]);
    expect((await lock({}, 'inside')).parts).toEqual([]);
  });

  it('costs few questions: five for a single image without any', async () => {
    registry.push(`${NAME}:amd`, amd);
    registry.asked.length = 0;
    await lock({}, 'amd');
    expect(registry.asked.filter((asked) => !asked.startsWith('head') && !asked.startsWith('referrers'))).toHaveLength(
      2,
    );
    expect(registry.asked).toHaveLength(7);
  });
});

describe('what vouches for an index of which not all is carried', () => {
  beforeEach(() => {
    list(both, [referrer(both)]);
    list(referrer(both), [referrer(referrer(both), NOTATION)]);
    list(arm, [referrer(arm)]);
    list(amd, [referrer(amd)]);
    registry.push(`${NAME}:${tagFor(both, '.sig')}`, cosigned(both));
  });

  it('no longer applies, and so does what vouches for it', async () => {
    const locked = await lock({ platforms: ['linux/arm64'] });
    const noted = locked.parts.filter(({ note }) => note === 'no longer applies').map((part) => part.digest);
    expect(noted).toEqual([digest(cosigned(both)), digest(referrer(both)), digest(referrer(referrer(both), NOTATION))]);
    const applying = locked.parts.filter(({ note }) => note === undefined).map((part) => part.digest);
    expect(applying).toContain(digest(referrer(arm)));
    expect(applying).not.toContain(digest(referrer(amd)));
  });

  it('no longer applies to an index of some platforms', async () => {
    const s390 = image({ platform: 'linux/s390x', layers: ['s390x'] });
    const three = index([
      { image: amd, platform: 'linux/amd64' },
      { image: arm, platform: 'linux/arm64' },
      { image: s390, platform: 'linux/s390x' },
    ]);
    registry.push(`${NAME}:three`, three);
    registry.push(`${NAME}:${tagFor(three, '.sig')}`, cosigned(three));
    registry.asked.length = 0;
    const locked = await lock({ platforms: ['linux/amd64', 'linux/arm64'] }, 'three');
    expect(locked.parts.map(({ digest: found, note }) => [found, note])).toEqual([
      [digest(cosigned(three)), 'no longer applies'],
      [digest(referrer(amd)), undefined],
      [digest(referrer(arm)), undefined],
    ]);
    // Nobody can have signed the index that dray makes, and nobody is asked about a platform that stays behind.
    expect(registry.asked.join()).not.toContain(locked.delivers.slice(7));
    expect(registry.asked.join()).not.toContain(digest(s390).slice(7));
  });

  it('applies where the whole index is carried', async () => {
    expect((await lock()).parts.filter(({ note }) => note !== undefined)).toEqual([]);
  });
});

describe('what is left out, with a warning', () => {
  it.each<[string, () => void, string]>([
    [
      'a listed document of something else',
      () => list(both, [referrer(arm)]),
      `is listed for ${digest(both)}, but refers to ${digest(arm)}`,
    ],
    ['a listed document that refers to nothing', () => list(both, [image({ layers: ['x'] })]), 'but refers to nothing'],
    [
      'a listed document that is not there',
      () => registry.referrers.set(digest(both), [referrer(both, 'application/gone').root.descriptor]),
      'but is not there',
    ],
    [
      'a listed document of another kind',
      () => list(both, [built(pretty('application/vnd.example+json', { schemaVersion: 2 }), [])]),
      'cannot be right',
    ],
    [
      'a signature’s tag on an ordinary image',
      () => registry.push(`${NAME}:${tagFor(both, '.sig')}`, image({ layers: ['huge', 'unrelated'] })),
      'expected what cosign writes there, found a layer application/vnd.oci.image.layer.v1.tar+gzip',
    ],
    [
      'a signature’s tag on an index',
      () => registry.push(`${NAME}:${tagFor(both, '.sig')}`, index([{ image: amd }])),
      'expected a manifest, found an index',
    ],
    [
      'an SBOM’s tag on something huge',
      () => registry.push(`${NAME}:${tagFor(both, '.sbom')}`, huge()),
      'expected at most 268435456 bytes, found 99999999999',
    ],
    [
      'a fallback tag that is no list',
      () => registry.push(`${NAME}:${tagFor(both)}`, image({ layers: ['no list'] })),
      'expected a list of referrers, found an image manifest',
    ],
  ])('%s', async (_, arrange, warning) => {
    arrange();
    const locked = await lock();
    expect(locked.parts).toEqual([]);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain(`${NAME}:1: `);
    expect(warnings()[0]).toContain(warning);
    expect(warnings()[0]).toContain('it is left out');
  });

  it('not the image that GitLab answers the fallback tag with', async () => {
    registry.push(`${NAME}:${tagFor(both)}`, both);
    expect((await lock()).parts).toEqual([]);
    expect(warnings()).toEqual([]);
  });

  it('what a registry does not let us ask', async () => {
    const { network } = registry;
    const refuse = (): Promise<never> => Promise.reject(new DrayError('login-refused', 'registry.example: 403'));
    const strict = (host: string, name: string): ReturnType<typeof network.repository> => ({
      ...network.repository(host, name),
      referrers: refuse,
      head: refuse,
    });
    const { env, events: told } = bench('/nowhere', { ...network, repository: strict }, store);
    const [locked] = await imageRefSource.resolve(imageEntry('ref', `${NAME}:1`), store, env);
    expect(locked!.parts).toEqual([]);
    expect(told.filter(({ type }) => type === 'warning').length).toBeGreaterThan(0);
    expect(JSON.stringify(told)).toContain('signatures could not all be looked up: registry.example: 403');
  });
});

describe('without end', () => {
  it('a circle of referrers is walked once', async () => {
    // Digests make a circle impossible; a registry may still list one.
    const [a, b] = [referrer(both, 'application/a'), referrer(both, 'application/b')];
    list(both, [a]);
    list(a, [b]);
    list(b, [a]);
    expect(parts(await lock())).toEqual([[digest(a), digest(both)]]);
  });

  it('a hundred thousand of them are an error that says what to do, long before the last is asked for', async () => {
    let given = 0;
    const one = referrer(both).root.descriptor;
    const endless = async function* (): AsyncGenerator<Descriptor> {
      await Promise.resolve();
      for (; given < 100_000; given++) yield { ...one, mediaType: OCI_MANIFEST, digest: digestOf(String(given)) };
    };
    const { network } = registry;
    const repository = (host: string, name: string): ReturnType<typeof network.repository> => ({
      ...network.repository(host, name),
      referrers: (of) => Promise.resolve(of === digest(both) ? endless() : undefined),
    });
    const { env } = bench('/nowhere', { ...network, repository }, store);
    const locking = imageRefSource.resolve(imageEntry('ref', `${NAME}:1`), store, env);
    await expect(locking).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: `${NAME}:1: signatures and other referrers: expected at most ${REFERRER_LIMITS.count} of them, found more`,
      hint: '`referrers: false` on this entry carries it without them',
    });
    expect(given).toBe(REFERRER_LIMITS.count);
  });

  it('signatures of signatures of signatures are followed for some levels only', async () => {
    const chain: BuiltImage[] = [both];
    for (let level = 1; level <= REFERRER_LIMITS.depth + 1; level++) chain.push(referrer(chain[level - 1]!));
    const link = (levels: number): void => chain.slice(0, levels).forEach((of, level) => list(of, [chain[level + 1]!]));
    link(REFERRER_LIMITS.depth);
    expect((await lock()).parts).toHaveLength(REFERRER_LIMITS.depth);
    link(REFERRER_LIMITS.depth + 1);
    await expect(lock()).rejects.toThrow(`expected at most ${REFERRER_LIMITS.depth} levels of them, found more`);
  });
});

function shape({ root: { descriptor } }: BuiltImage): Pick<Descriptor, 'mediaType' | 'digest' | 'size'> {
  const { mediaType, digest: of, size } = descriptor;
  return { mediaType, digest: of, size };
}

function huge(): BuiltImage {
  const layer = { mediaType: 'text/spdx+json', digest: digestOf('huge'), size: 99_999_999_999 - 2 };
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
  return built(pretty(OCI_MANIFEST, manifest), []);
}
