import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { request as forward } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Repository } from '../../src/registry/repository.ts';
import type { RegistrySpec } from '../../src/site/site.ts';
import type { Blocks, ByteRange } from '../../src/store/blob-store.ts';
import { registryTarget } from '../../src/targets/registry/registry.ts';
import type { Target } from '../../src/targets/target.ts';
import {
  borrowed,
  deliverAll,
  deliveryOf,
  filesSample,
  imageSample,
  indexSample,
  memoryJournal,
  noise,
  sendBlobs,
} from '../support/deliveries.ts';
import type { Sample } from '../support/deliveries.ts';
import { hasDockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { startServer } from '../support/loopback-server.ts';
import { program } from '../support/programs.ts';

const crane = program('crane');
const MIB = 1024 * 1024;
type Journal = ReturnType<typeof memoryJournal>;

describe.skipIf(!hasDockerRegistry)('the registry target (docker-registry is not installed)', () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry({ secret: 'kept over restarts' });
  });
  afterAll(() => registry.stop());

  const specOf = (prefix: string, more: Partial<RegistrySpec> = {}): RegistrySpec => ({
    type: 'registry',
    registry: `${registry.host}/${prefix}`,
    naming: 'path',
    rename: [],
    overwrite: false,
    take: ['images', 'charts'],
    group: [],
    without: [],
    ...more,
  });
  const targetAt = (prefix: string, journal: Journal = memoryJournal(), more: Partial<RegistrySpec> = {}): Target =>
    registryTarget(specOf(prefix, more), { journal: () => journal, environment: {} });
  const look = (name: string): Repository =>
    createNetwork({ ctx: quietContext(), environment: {}, upstreams: new Map() }).repository(registry.host, name);

  it('delivers images, indexes, what belongs to them, and models under the digests of the lock', async () => {
    const image = imageSample('nvcr.io/team/app:v1', [noise(2_500_000, 'a'), noise(100, 'b')], { signature: 'tagged' });
    const index = indexSample('docker.io/library/multi:7', [noise(1000, 'c'), noise(2000, 'd')]);
    const model = filesSample('models', 'Org/Model', { 'config.json': '{}', 'weights.bin': noise(1_200_000, 'w') });
    const target = targetAt('all');
    const { present } = await deliverAll(target, [image, index, model]);
    expect(present).toEqual([]);
    expect(target.uri).toBe(`registry://${registry.host}/all`);
    expect((await look('all/team/app').head('v1'))?.digest).toBe(image.artifact.delivers);
    expect((await look('all/library/multi').head('7'))?.digest).toBe(index.artifact.delivers);
    const modelTag = `d-${model.artifact.delivers.slice(7, 19)}`;
    expect((await look('all/org/model').head(modelTag))?.digest).toBe(model.artifact.delivers);
    const [part] = image.artifact.parts;
    expect((await look('all/team/app').head(part!.tag!))?.digest).toBe(part!.digest);
    if (crane === undefined) return;
    for (const [sample, name] of [
      [image, 'all/team/app:v1'],
      [index, 'all/library/multi:7'],
      [model, `all/org/model:${modelTag}`],
    ] as const)
      expect(
        execFileSync(crane, ['digest', `${registry.host}/${name}`])
          .toString()
          .trim(),
      ).toBe(sample.artifact.delivers);
  });

  it('sends nothing the second time, and finds it whole by reading every byte', async () => {
    const image = imageSample('nvcr.io/team/app:v1', [noise(1_500_000, 'twice')], { signature: 'untagged' });
    const journal = memoryJournal();
    await deliverAll(targetAt('twice', journal), [image]);
    const again = { blobs: 0, bytes: 0, present: ['nvcr.io/team/app:v1'] };
    expect(await deliverAll(targetAt('twice', journal), [image])).toEqual(again);
    expect(await deliverAll(targetAt('twice', memoryJournal()), [image], true)).toEqual(again);
  });

  it('finds bytes that went bad in the registry, when told to look', async () => {
    const own = await startDockerRegistry();
    try {
      const layer = noise(1_500_000, 'rotten');
      const image = imageSample('nvcr.io/team/app:v1', [layer]);
      const spec = { ...specOf('x'), registry: `${own.host}/x` };
      const make = (): Target => registryTarget(spec, { journal: () => memoryJournal(), environment: {} });
      await deliverAll(make(), [image]);
      const hex = digestOf(layer).slice(7);
      const file = join(own.data, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
      const rotten = readFileSync(file);
      rotten.writeUInt8(rotten.readUInt8(1000) ^ 1, 1000);
      writeFileSync(file, rotten);
      expect((await deliverAll(make(), [image])).present).toHaveLength(1);
      await expect(deliverAll(make(), [image], true)).rejects.toMatchObject({ code: 'target-failed' });
    } finally {
      await own.stop();
    }
  });

  it('sends a blob once for all repositories that need it, and mounts it in the others', async () => {
    const shared = noise(3_000_000, 'shared');
    const samples = ['one', 'two', 'three'].map((name) =>
      imageSample(`nvcr.io/team/${name}:v1`, [shared, noise(50, name)]),
    );
    const { bytes } = await deliverAll(targetAt('mount'), samples);
    expect(bytes).toBeLessThan(3_001_000);
    for (const name of ['one', 'two', 'three'])
      expect(
        await look(`mount/team/${name}`).hasBlob({ mediaType: '', digest: digestOf(shared), size: shared.length }),
      ).toBe(true);
  });

  it('brings what one repository has already to another without being sent it', async () => {
    const shared = noise(2_000_000, 'there already');
    const journal = memoryJournal();
    await deliverAll(targetAt('spread', journal), [imageSample('nvcr.io/team/one:v1', [shared])]);
    // The first artifact is there and not expected; the second shares its repository and its layer, the third only the layer.
    const later = [
      imageSample('nvcr.io/team/one:v2', [shared, noise(10, '2')]),
      imageSample('nvcr.io/team/two:v1', [shared]),
    ];
    const { bytes } = await deliverAll(targetAt('spread', journal), later);
    expect(bytes).toBeLessThan(10_000);
  });

  it('shows nothing under the name before commit, and goes on in another process', async () => {
    const image = imageSample('nvcr.io/team/app:v1', [noise(1_500_000, 'cut'), noise(20, 'cut too')]);
    const journal = memoryJournal();
    const first = targetAt('later', journal);
    await first.open(quietContext());
    await first.expect(deliveryOf(image, first));
    expect(await first.complete(deliveryOf(image, first))).toBe(false);
    await sendBlobs(first, [image]);
    expect(await first.complete(deliveryOf(image, first))).toBe(true);
    expect(await look('later/team/app').head('v1')).toBeUndefined();
    // Killed here.
    expect((await deliverAll(targetAt('later', journal), [image])).blobs).toBe(0);
    expect((await look('later/team/app').head('v1'))?.digest).toBe(image.artifact.delivers);
  });

  it('keeps nothing of a blob whose content throws at its end', async () => {
    const layer = noise(2_500_000, 'throws');
    const image = imageSample('nvcr.io/team/app:v1', [layer]);
    const target = targetAt('throws');
    await target.open(quietContext());
    await target.expect(deliveryOf(image, target));
    const blob = { mediaType: '', digest: digestOf(layer), size: layer.length };
    await expect(target.receive(blob, { start: 0, end: blob.size }, failing(layer))).rejects.toThrow('torn');
    expect(await target.needs(blob, { start: 0, end: blob.size })).toBe('yes');
    expect(await target.complete(deliveryOf(image, target))).toBe(false);
    await target.close();
    expect(await look('throws/team/app').hasBlob(blob)).toBe(false);
  });

  it('needs nothing that no artifact names', async () => {
    const target = targetAt('nothing');
    await target.open(quietContext());
    expect(await target.needs({ mediaType: '', digest: digestOf('foreign'), size: 7 }, { start: 0, end: 7 })).toBe(
      'no',
    );
    await target.close();
  });

  describe('names', () => {
    const older = imageSample('nvcr.io/team/app:v1', [noise(30, 'older')], { signature: 'tagged' });
    const newer = imageSample('nvcr.io/team/app:v1', [noise(30, 'newer')]);

    it('that are taken stop the load before its first byte', async () => {
      await deliverAll(targetAt('taken'), [older]);
      await expect(deliverAll(targetAt('taken', memoryJournal()), [newer])).rejects.toMatchObject({
        code: 'name-taken',
        message: `${registry.host}/taken/team/app:v1: expected nothing or what dray put there, found ${older.artifact.delivers}`,
      });
      expect(await look('taken/team/app').head(newer.artifact.delivers)).toBeUndefined();
    });

    it('that dray put there itself are moved', async () => {
      const journal = memoryJournal();
      await deliverAll(targetAt('moved', journal), [older]);
      await deliverAll(targetAt('moved', journal), [newer]);
      expect((await look('moved/team/app').head('v1'))?.digest).toBe(newer.artifact.delivers);
    });

    it('are moved whoever put them there, where the site says so', async () => {
      await deliverAll(targetAt('overwrite'), [older]);
      await deliverAll(targetAt('overwrite', memoryJournal(), { overwrite: true }), [newer]);
      expect((await look('overwrite/team/app').head('v1'))?.digest).toBe(newer.artifact.delivers);
    });

    it('are known as dray’s own whatever a kill leaves', async () => {
      const journal = memoryJournal();
      await deliverAll(targetAt('killed', journal), [older]);
      // Killed after the journal was told of the new digest and before the registry was.
      const key = journal.keys().find((name) => name.endsWith(':v1'))!;
      journal.set(key, [newer.artifact.delivers, older.artifact.delivers]);
      await deliverAll(targetAt('killed', journal), [newer]);
      expect(journal.get(key)).toEqual([newer.artifact.delivers]);
    });
  });

  describe('a blob in runs', () => {
    const layer = noise(3 * MIB, 'runs');
    const blob = { mediaType: '', digest: digestOf(layer), size: layer.length };
    const runs: readonly ByteRange[] = [
      { start: 0, end: MIB + 1 },
      { start: MIB + 1, end: 2 * MIB },
      { start: 2 * MIB, end: 3 * MIB },
    ];
    const [one, two, three] = runs as [ByteRange, ByteRange, ByteRange];
    const image = imageSample('nvcr.io/team/app:v1', [layer]);

    /** A process of its own with one disc: offers a run, answers what the target said to it. */
    async function disc(target: Target, run: ByteRange, sample: Sample = image): Promise<string> {
      await target.open(quietContext());
      try {
        await target.expect(deliveryOf(sample, target));
        const need = await target.needs(blob, run);
        if (need === 'yes') await target.receive(blob, run, borrowed(layer.subarray(run.start, run.end)));
        if (await target.complete(deliveryOf(sample, target))) await target.commit(deliveryOf(sample, target));
        return need;
      } finally {
        await target.close();
      }
    }

    async function config(target: Target, sample: Sample = image): Promise<void> {
      await target.open(quietContext());
      await target.expect(deliveryOf(sample, target));
      for (const { blob: other, bytes } of sample.blobs.values())
        if (other.digest !== blob.digest && (await target.needs(other, { start: 0, end: other.size })) === 'yes')
          await target.receive(other, { start: 0, end: other.size }, borrowed(bytes));
      await target.close();
    }

    it('comes from three processes, the registry being restarted in between', async () => {
      const journal = memoryJournal();
      await config(targetAt('three', journal));
      for (const run of runs) {
        expect(await disc(targetAt('three', journal), run)).toBe('yes');
        await registry.restart();
      }
      expect((await look('three/team/app').head('v1'))?.digest).toBe(image.artifact.delivers);
      expect(journal.keys().filter((key) => key.startsWith('upload:'))).toEqual([]);
    });

    it('is asked for in order, and each run once', async () => {
      const journal = memoryJournal();
      const at = (): Target => targetAt('order', journal);
      expect(await disc(at(), two)).toBe('not-yet');
      expect(await disc(at(), one)).toBe('yes');
      expect(await disc(at(), one)).toBe('no');
      expect(await disc(at(), three)).toBe('not-yet');
      expect(await disc(at(), two)).toBe('yes');
      expect(await disc(at(), three)).toBe('yes');
      expect(await disc(at(), one)).toBe('no');
      expect(await look('order/team/app').hasBlob(blob)).toBe(true);
    });

    it('is mounted where others need it too', async () => {
      const other = imageSample('nvcr.io/team/other:v1', [layer]);
      const journal = memoryJournal();
      for (const run of runs) {
        const target = targetAt('both', journal);
        await target.open(quietContext());
        for (const sample of [image, other]) await target.expect(deliveryOf(sample, target));
        expect(await target.needs(blob, run)).toBe('yes');
        await target.receive(blob, run, borrowed(layer.subarray(run.start, run.end)));
        await target.close();
      }
      for (const name of ['app', 'other']) expect(await look(`both/team/${name}`).hasBlob(blob)).toBe(true);
    });

    it('begins again where the registry lost the upload, and says so', async () => {
      const forgetful = await startDockerRegistry();
      try {
        const journal = memoryJournal();
        const at = (): Target =>
          registryTarget({ ...specOf('x'), registry: forgetful.host }, { journal: () => journal, environment: {} });
        await config(at());
        expect(await disc(at(), one)).toBe('yes');
        await forgetful.restart();
        await expect(disc(at(), two)).rejects.toMatchObject({ code: 'upload-lost', exit: 12 });
        expect(await disc(at(), two)).toBe('not-yet');
        expect(await disc(at(), one)).toBe('yes');
        await forgetful.restart();
        // The first disc again: nothing is lost that it does not bring.
        journal.set(
          journal.keys().find((key) => key.startsWith('upload:'))!,
          { ...(journal.get(journal.keys().find((key) => key.startsWith('upload:'))!) as object), offset: 0 },
        );
        for (const run of runs) expect(await disc(at(), run)).toBe('yes');
        const there = createNetwork({ ctx: quietContext(), environment: {}, upstreams: new Map() }).repository(
          forgetful.host,
          'team/app',
        );
        expect((await there.head('v1'))?.digest).toBe(image.artifact.delivers);
      } finally {
        await forgetful.stop();
      }
    });

    it('goes on in the middle of a run of which the registry has a part', async () => {
      const journal = memoryJournal();
      expect(await disc(targetAt('middle', journal), one)).toBe('yes');
      const key = journal.keys().find((name) => name.startsWith('upload:'))!;
      const kept = journal.get(key) as { location: string; offset: number };
      const part = layer.subarray(two.start, two.start + 70_000);
      const { location } = await look('middle/team/app').append(kept, part.length, borrowed(part));
      // What a registry answers that keeps what came before the connection broke.
      journal.set(key, { ...kept, location });
      expect(await disc(targetAt('middle', journal), two)).toBe('yes');
      expect(await disc(targetAt('middle', journal), three)).toBe('yes');
      expect(await look('middle/team/app').hasBlob(blob)).toBe(true);
    });

    it('begins again where its runs do not add up', async () => {
      const journal = memoryJournal();
      const target = targetAt('honest', journal);
      await target.open(quietContext());
      await target.expect(deliveryOf(image, target));
      const wrong = Buffer.from(layer.subarray(0, one.end));
      wrong.writeUInt8(wrong.readUInt8(7) ^ 1, 7);
      await target.receive(blob, one, borrowed(wrong));
      await target.receive(blob, two, borrowed(layer.subarray(two.start, two.end)));
      await expect(target.receive(blob, three, borrowed(layer.subarray(three.start)))).rejects.toMatchObject({
        code: 'upload-lost',
      });
      expect(await target.needs(blob, three)).toBe('not-yet');
      expect(await target.needs(blob, one)).toBe('yes');
      await target.close();
    });

    it('begins again after a run that was damaged on its medium', async () => {
      const journal = memoryJournal();
      expect(await disc(targetAt('damaged', journal), one)).toBe('yes');
      const target = targetAt('damaged', journal);
      await target.open(quietContext());
      await target.expect(deliveryOf(image, target));
      const damaged = failing(
        layer.subarray(two.start, two.end),
        new DrayError('content-damaged', 'not what was signed'),
      );
      await expect(target.receive(blob, two, damaged)).rejects.toThrow('not what was signed');
      expect(await target.needs(blob, one)).toBe('yes');
      await target.close();
    });

    it('may come whole after all', async () => {
      const journal = memoryJournal();
      expect(await disc(targetAt('whole', journal), one)).toBe('yes');
      await deliverAll(targetAt('whole', journal), [image]);
      expect(journal.keys().filter((key) => key.startsWith('upload:'))).toEqual([]);
      expect((await look('whole/team/app').head('v1'))?.digest).toBe(image.artifact.delivers);
    });

    it('has an upload of its own in each of two targets that share a registry', async () => {
      const journal = memoryJournal();
      const make = (group: string): Target => targetAt('groups', journal, { group: [group] });
      for (const run of runs) {
        const both = [make('a'), make('b')];
        for (const target of both) {
          await target.open(quietContext());
          await target.expect(deliveryOf(image, target));
        }
        expect(await Promise.all(both.map(async (target) => target.needs(blob, run)))).toEqual(['yes', 'yes']);
        await Promise.all(
          both.map((target) => target.receive(blob, run, borrowed(layer.subarray(run.start, run.end)))),
        );
        for (const target of both) await target.close();
      }
      expect(await look('groups/team/app').hasBlob(blob)).toBe(true);
    });
  });

  it('copies from one repository to another where the registry does not mount', async () => {
    const front = await startServer((request, response) => {
      const path = (request.url ?? '').replace(/\?mount=.*/, '');
      const { headers, method } = request;
      const inner = forward({ host: '127.0.0.1', port: registry.host.split(':')[1], path, method, headers });
      inner.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      });
      request.pipe(inner);
    });
    const shared = noise(2_000_000, 'not mounted');
    const samples = ['one', 'two'].map((name) => imageSample(`a.example/${name}:1`, [shared]));
    const spec = { ...specOf('x'), registry: `${front.host}/copied` };
    const { bytes } = await deliverAll(
      registryTarget(spec, { journal: () => memoryJournal(), environment: {} }),
      samples,
    );
    await front.stop();
    expect(bytes).toBeLessThan(2_001_000);
    expect((await look('copied/two').head('1'))?.digest).toBe(samples[1]!.artifact.delivers);
    expect(front.seen.filter((line) => /^GET .*\/blobs\//.test(line))).not.toEqual([]);
  });

  it('leaves no open upload behind', async () => {
    const own = await startDockerRegistry();
    try {
      const spec = { ...specOf('x'), registry: own.host };
      const target = registryTarget(spec, { journal: () => memoryJournal(), environment: {} });
      const shared = noise(2_000_000, 'tidy');
      await deliverAll(target, [imageSample('a.example/one:1', [shared]), imageSample('a.example/two:1', [shared])]);
      const left = readdirSync(own.data, { recursive: true, encoding: 'utf8' }).filter((path) =>
        /_uploads\/[^/]+$/.test(path),
      );
      expect(left).toEqual([]);
    } finally {
      await own.stop();
    }
  });
});

async function* failing(content: Uint8Array, error: Error = new Error('torn')): Blocks {
  yield* borrowed(content);
  throw error;
}
