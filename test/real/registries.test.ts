import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { noise } from '../support/bundles.ts';
import { CARGO, cargoEntries, lackingAt, layered, publishCargo } from '../support/cargo.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { pretty } from '../support/images.ts';
import { pushBuilt } from '../support/push.ts';
import { REGISTRIES } from '../support/registries.ts';
import { blobOf, blocksOf, manifestOf, network } from '../registry/support.ts';

/** What dray does with real registries, near and far, through the verbs that people use; each kind of registry alike. */

const RUNS = 'cargo/runs';
const inRuns = layered([{ type: 'application/vnd.oci.image.layer.v1.tar+gzip', bytes: noise(7_000_000, 'in runs') }]);

describe.each(REGISTRIES)('$name', ({ missing, start, forgetsUploads }) => {
  describe.skipIf(missing !== '')(`carries everything${missing}`, () => {
    let near: DockerRegistry;
    let far: DockerRegistry;
    let place: Workplace;
    beforeAll(async () => {
      [near, far] = [await start(), await start()];
      await publishCargo(near.host);
      await pushBuilt(near.host, RUNS, '1', inRuns);
      place = workplace();
      await place.succeed(['keygen', 'k', '--no-password']);
      place.write({ 'dray.yaml': manifest('cargo', cargoEntries(near.host)) });
      await place.succeed(['pack', 'out', '--key', 'k.key']);
    });
    afterAll(async () => {
      await near.stop();
      await far.stop();
    });
    const load = (to: string, more: readonly string[] = ['out']): string[] => [
      ...['load', ...more, '--key', 'k.pub', '--state', `st-${to}`],
      ...['--to', `registry://${far.host}/${to}`],
    ];
    const states = (document: object): string[] => [
      ...new Set((document as { delivered: { state: string }[] }).delivered.map(({ state }) => state)),
    ];

    it('from one to the other, byte for byte, and nothing of it twice', async () => {
      expect(states(await place.succeed(load('all')))).toEqual(['sent']);
      expect(await lackingAt(far.host, 'all/')).toEqual([]);
      expect(states(await place.succeed(load('all')))).toEqual(['present']);
      expect(states(await place.succeed([...load('all'), '--recheck']))).toEqual(['present']);
    });

    it('also what is chosen of an index: one platform, and several', async () => {
      const chosen = workplace();
      await chosen.succeed(['keygen', 'k', '--no-password']);
      const entry = (as: string, platforms: string): string =>
        `{ref: "${near.host}/cargo/multi:1", as: "a.example/${as}:1", platforms: ${platforms}}`;
      const images = [entry('one', 'linux/arm64'), entry('both', '[linux/amd64, linux/arm64]')];
      chosen.write({ 'dray.yaml': manifest('chosen', `images: [${images.join(', ')}]\n`) });
      await chosen.succeed(['pack', 'out', '--key', 'k.key']);
      expect(states(await chosen.succeed(load('chosen')))).toEqual(['sent']);
    });

    it('in runs from several discs, the registry being restarted in between', async () => {
      const secret = await start({ secret: 'kept' });
      const discs = workplace();
      await discs.succeed(['keygen', 'k', '--no-password']);
      discs.write({ 'dray.yaml': manifest('discs', `images: ["${near.host}/${RUNS}:1"]\n`) });
      await discs.succeed(['pack', 'out', '--key', 'k.key', '--media', '3MB']);
      const disc = (number: number, registry: DockerRegistry): string[] => [
        ...['load', `out/discs-1-${number}of3`, '--key', 'k.pub', '--state', `st-${registry.host}`],
        ...['--to', `registry://${registry.host}`],
      ];
      try {
        for (const number of [1, 2]) {
          await discs.fail(disc(number, secret), 12, 'volume-missing');
          await secret.restart();
        }
        expect(states(await discs.succeed(disc(3, secret)))).toEqual(['sent']);
      } finally {
        await secret.stop();
      }
      await discs.fail(disc(1, far), 12, 'volume-missing');
      await far.restart();
      if (forgetsUploads) {
        const { message } = await discs.fail(disc(2, far), 12, 'upload-lost');
        expect(message).toContain('begin again with medium 1 of 3 (discs-1-1of3)');
        await discs.fail(disc(1, far), 12, 'volume-missing');
      }
      await discs.fail(disc(2, far), 12, 'volume-missing');
      expect(states(await discs.succeed(disc(3, far)))).toEqual(['sent']);
    });

    it('and says what it does not take', async () => {
      const repository = network().repository(far.host, 'refused/app');
      const config = blobOf(Buffer.from('{"architecture":"amd64","os":"linux"}'));
      await repository.upload(config.descriptor, blocksOf(config.bytes));
      const child = manifestOf(config.descriptor, []);
      const sparse = pretty(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child.descriptor] });
      await expect(repository.putDocument(sparse, 'v1')).rejects.toMatchObject({
        code: 'target-failed',
        message: expect.stringMatching(/MANIFEST_(BLOB_UNKNOWN|INVALID)/) as string,
      });
      const large = layered([], { annotations: { padding: 'x'.repeat(4 * 1024 * 1024) } });
      await expect(repository.putDocument(large.root, 'v1')).rejects.toMatchObject({
        code: 'cannot-hold',
        message: expect.stringContaining('at most 4194304 bytes') as string,
      });
      expect(await repository.head('v1')).toBeUndefined();
    });
  });
});

describe.each(REGISTRIES.filter(({ name }) => name.includes('zot')))('$name, by itself', ({ missing, start }) => {
  it.skipIf(missing !== '')(`names the setting that lets Docker schema 2 in${missing}`, async () => {
    const far = await start({ compat: false });
    try {
      const docker = CARGO['cargo/docker']!;
      const repository = network().repository(far.host, 'cargo/docker');
      for (const [digest, bytes] of docker.blobs)
        await repository.upload({ mediaType: '', digest, size: bytes.length }, blocksOf(bytes));
      await expect(repository.putDocument(docker.root, '1')).rejects.toMatchObject({
        code: 'target-failed',
        message: expect.stringContaining('Docker schema 2 manifest, which not every registry takes') as string,
        hint: expect.stringContaining('"compat": ["docker2s2"]') as string,
      });
    } finally {
      await far.stop();
    }
  });
});
