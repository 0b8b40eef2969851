import { request as forward } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import type { Repository } from '../../src/registry/repository.ts';
import type { RegistrySpec } from '../../src/site/site.ts';
import { oneBlock } from '../../src/store/blob-store.ts';
import { registryTarget } from '../../src/targets/registry/registry.ts';
import type { Target } from '../../src/targets/target.ts';
import { builtSample, deliverAll, memoryJournal } from '../support/deliveries.ts';
import type { Sample } from '../support/deliveries.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { attestation, blob, built, image, index, pretty } from '../support/images.ts';
import type { BuiltImage } from '../support/images.ts';
import { startServer } from '../support/loopback-server.ts';
import { missing } from '../support/programs.ts';
import { pullDocument, pushBlob, pushDocument } from '../support/push.ts';
import {
  NOTATION,
  SIGSTORE_BUNDLE,
  SIMPLE_SIGNING,
  cosigned,
  notation,
  referrer,
  tagFor,
} from '../support/signatures.ts';

const amd = image({ layers: ['amd64'] });
const both = index([{ image: amd, platform: 'linux/amd64' }, attestation(amd)]);

type Journal = ReturnType<typeof memoryJournal>;

function targetAt(registry: string, journal: Journal = memoryJournal(), overwrite = false): Target {
  const spec: RegistrySpec = {
    type: 'registry',
    registry,
    naming: 'path',
    rename: [],
    overwrite,
    take: ['images'],
    group: [],
    without: [],
  };
  return registryTarget(spec, { journal: () => journal, environment: {} });
}

/** An image of the name `app:1` and what refers to it or to another. */
function signed(...parts: readonly (readonly [of: BuiltImage, part: BuiltImage, suffix?: string])[]): Sample {
  const beside = parts.map(([subject, part, suffix]) => ({
    image: part,
    subject,
    ...(suffix === undefined ? {} : { tag: tagFor(subject, suffix) }),
  }));
  return builtSample('a.example/team/app:1', both, beside);
}

interface Listed {
  readonly manifests: readonly {
    readonly digest: Digest;
    readonly artifactType?: string;
    readonly annotations?: object;
  }[];
}

async function listIn(host: string, repository: string, of: BuiltImage): Promise<Listed['manifests']> {
  const text = await pullDocument(host, repository, tagFor(of));
  return (JSON.parse(text.toString()) as Listed).manifests;
}

function digest({ root }: BuiltImage): Digest {
  return root.descriptor.digest;
}

describe.each(['docker-registry', 'registry'] as const)('signatures in %s', (name) => {
  describe.skipIf(missing(name) !== '')(`which keeps no list of them${missing(name)}`, () => {
    let registry: DockerRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry({ program: name });
    });
    afterAll(() => registry.stop());

    const at = (prefix: string): string => `${registry.host}/${prefix}`;
    const look = (prefix: string): Repository =>
      createNetwork({ ctx: quietContext(), environment: {}, upstreams: new Map() }).repository(
        registry.host,
        `${prefix}/team/app`,
      );

    it('are listed under the fallback tag of what they refer to, with type and annotations', async () => {
      const [bundle, old, ofChild] = [referrer(both), notation(both), referrer(amd)];
      await deliverAll(targetAt(at('list')), [signed([both, bundle], [both, old], [amd, ofChild])]);
      const { mediaType, size } = bundle.root.descriptor;
      expect(await listIn(registry.host, 'list/team/app', both)).toEqual([
        {
          ...{ mediaType, digest: digest(bundle), size, artifactType: SIGSTORE_BUNDLE },
          annotations: { 'dev.sigstore.bundle.content': 'dsse-envelope' },
        },
        {
          ...old.root.descriptor,
          artifactType: NOTATION,
          annotations: { 'io.cncf.notary.x509chain.thumbprint#S256': '["00"]' },
        },
      ]);
      const ofAmd = await listIn(registry.host, 'list/team/app', amd);
      expect(ofAmd.map((entry) => entry.digest)).toEqual([digest(ofChild)]);
    });

    it('are added to those that somebody listed before, whose entries stay word for word', async () => {
      const other = { mediaType: OCI_MANIFEST, digest: digestOf('{}'), size: 2, 'x-unknown': [1] };
      const image = { schemaVersion: 2, mediaType: OCI_MANIFEST };
      const config = await pushBlob(
        registry.host,
        'merge/team/app',
        'application/vnd.oci.empty.v1+json',
        Buffer.from('{}'),
      );
      const theirs = await pushDocument(registry.host, 'merge/team/app', { ...image, config, layers: [config] });
      const entry = { ...other, ...theirs };
      await pushDocument(
        registry.host,
        'merge/team/app',
        { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] },
        tagFor(both),
      );
      const bundle = referrer(both);
      await deliverAll(targetAt(at('merge')), [signed([both, bundle])]);
      const listed = await listIn(registry.host, 'merge/team/app', both);
      expect(listed[0]).toEqual(entry);
      expect(listed.map((one) => one.digest)).toEqual([theirs.digest, digest(bundle)]);
    });

    it('that come later are added, and what is there is not listed twice', async () => {
      const journal = memoryJournal();
      const [first, second] = [referrer(both), referrer(both, 'application/spdx+json')];
      await deliverAll(targetAt(at('later'), journal), [signed([both, first])]);
      const { present } = await deliverAll(targetAt(at('later'), journal), [signed([both, first], [both, second])]);
      expect(present).toEqual([]);
      const listed = await listIn(registry.host, 'later/team/app', both);
      expect(listed.map((one) => one.digest)).toEqual([digest(first), digest(second)]);
      const again = await deliverAll(targetAt(at('later'), journal), [signed([both, first], [both, second])]);
      expect(again).toMatchObject({ blobs: 0, present: ['a.example/team/app:1'] });
    });

    it('that a kill left unlisted are listed by the next run', async () => {
      const journal = memoryJournal();
      const [first, second] = [referrer(both), referrer(both, 'application/spdx+json')];
      await deliverAll(targetAt(at('killed'), journal), [signed([both, first], [both, second])]);
      // As if it had ended just before the list was written: everything is there but one entry.
      const [entry] = await listIn(registry.host, 'killed/team/app', both);
      await pushDocument(
        registry.host,
        'killed/team/app',
        { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] },
        tagFor(both),
      );
      const { present } = await deliverAll(targetAt(at('killed'), journal), [signed([both, first], [both, second])]);
      expect(present).toEqual([]);
      expect(await listIn(registry.host, 'killed/team/app', both)).toHaveLength(2);
    });

    it('that no longer apply are delivered as well, under their own names', async () => {
      const upstream = index([{ image: amd, platform: 'linux/amd64' }, { image: image({ platform: 'linux/arm64' }) }]);
      const sample = builtSample('a.example/team/app:1', amd, [
        { image: cosigned(upstream), subject: upstream, tag: tagFor(upstream, '.sig') },
        { image: referrer(upstream), subject: upstream },
      ]);
      await deliverAll(targetAt(at('note')), [sample]);
      expect((await look('note').head(tagFor(upstream, '.sig')))?.digest).toBe(digest(cosigned(upstream)));
      expect(await listIn(registry.host, 'note/team/app', upstream)).toHaveLength(1);
      expect((await deliverAll(targetAt(at('note')), [sample])).present).toHaveLength(1);
    });

    it('stop where something else has the name of their list', async () => {
      const config = await pushBlob(
        registry.host,
        'taken/team/app',
        'application/vnd.oci.empty.v1+json',
        Buffer.from('{}'),
      );
      const other = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [config] };
      await pushDocument(registry.host, 'taken/team/app', other, tagFor(both));
      await expect(deliverAll(targetAt(at('taken')), [signed([both, referrer(both)])])).rejects.toMatchObject({
        code: 'name-taken',
        message: expect.stringContaining('expected a list of referrers') as string,
      });
      expect(await look('taken').head('1')).toBeUndefined();
    });

    it('of cosign stay where somebody in the enclave added theirs', async () => {
      const ours = cosigned(both);
      const journal = memoryJournal();
      const sample = signed([both, ours, '.sig']);
      await deliverAll(targetAt(at('cosigned'), journal), [sample]);
      const manifest = JSON.parse(Buffer.from(ours.root.bytes).toString()) as { layers: object[] };
      const mine = await pushBlob(
        registry.host,
        'cosigned/team/app',
        'application/vnd.dev.cosign.simplesigning.v1+json',
        Buffer.from('mine'),
      );
      const added = { ...manifest, layers: [...manifest.layers, mine] };
      const grown = await pushDocument(registry.host, 'cosigned/team/app', added, tagFor(both, '.sig'));
      expect((await deliverAll(targetAt(at('cosigned'), journal), [sample])).present).toHaveLength(1);
      // Also where more is to be delivered, and where dray may move what is in its way.
      const more = signed([both, ours, '.sig'], [both, referrer(both)]);
      expect((await deliverAll(targetAt(at('cosigned'), memoryJournal(), true), [more])).present).toEqual([]);
      expect((await look('cosigned').head(tagFor(both, '.sig')))?.digest).toBe(grown.digest);
    });

    it('of cosign that are others stop the load before its first byte', async () => {
      const config = await pushBlob(
        registry.host,
        'other/team/app',
        'application/vnd.oci.empty.v1+json',
        Buffer.from('{}'),
      );
      const other = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [config] };
      await pushDocument(registry.host, 'other/team/app', other, tagFor(both, '.sig'));
      const loading = deliverAll(targetAt(at('other')), [signed([both, cosigned(both), '.sig'])]);
      await expect(loading).rejects.toMatchObject({ code: 'name-taken' });
      expect(await look('other').head(digest(both))).toBeUndefined();
    });

    /** A signature somebody in the enclave made, as cosign writes it: with a history and a `diff_id` of its layer. */
    async function signThere(prefix: string, text: string, inStep = true): Promise<Descriptor> {
      const repository = `${prefix}/team/app`;
      const payload = await pushBlob(registry.host, repository, SIMPLE_SIGNING, Buffer.from(text));
      const rootfs = { type: 'layers', diff_ids: inStep ? [payload.digest] : [] };
      const configuration = Buffer.from(JSON.stringify({ history: [{}], rootfs, 'x-unknown': text }));
      const config = await pushBlob(registry.host, repository, OCI_CONFIG, configuration);
      const layers = [{ ...payload, annotations: { 'dev.cosignproject.cosign/signature': text } }];
      const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers, annotations: { by: text } };
      return pushDocument(registry.host, repository, manifest, tagFor(both, '.sig'));
    }

    async function signaturesThere(prefix: string): Promise<{ layers: Descriptor[]; config: Descriptor }> {
      const text = await pullDocument(registry.host, `${prefix}/team/app`, tagFor(both, '.sig'));
      return JSON.parse(text.toString()) as { layers: Descriptor[]; config: Descriptor };
    }

    it.each([false, true])('of cosign and those of the enclave come to both (overwrite: %s)', async (overwrite) => {
      const prefix = `both-${overwrite}`;
      await signThere(prefix, 'theirs');
      const theirs = await signaturesThere(prefix);
      const journal = memoryJournal();
      const sample = signed([both, cosigned(both), '.sig']);
      await deliverAll(targetAt(at(prefix), journal, overwrite), [sample]);
      const union = await signaturesThere(prefix);
      const ours = JSON.parse(Buffer.from(cosigned(both).root.bytes).toString()) as { layers: Descriptor[] };
      expect(union).toMatchObject({ annotations: { by: 'theirs' }, layers: [...theirs.layers, ...ours.layers] });
      const config = await fetch(`http://${registry.host}/v2/${prefix}/team/app/blobs/${union.config.digest}`);
      expect(await config.json()).toMatchObject({
        'x-unknown': 'theirs',
        history: [{}, {}],
        rootfs: { diff_ids: union.layers.map((layer) => layer.digest) },
      });
      // Ours is there by its digest as well, and what is there is not merged again.
      expect((await look(prefix).head(digest(cosigned(both))))?.digest).toBe(digest(cosigned(both)));
      expect((await deliverAll(targetAt(at(prefix), journal, overwrite), [sample])).present).toHaveLength(1);
    });

    it('of cosign that upstream adds later join both, and nobody’s are lost', async () => {
      await signThere('grow', 'theirs');
      const journal = memoryJournal();
      await deliverAll(targetAt(at('grow'), journal), [signed([both, cosigned(both), '.sig'])]);
      const before = await signaturesThere('grow');
      const second = blob(SIMPLE_SIGNING, Buffer.from('a second signer'));
      const first = JSON.parse(Buffer.from(cosigned(both).root.bytes).toString()) as { layers: Descriptor[] };
      const config = pretty(OCI_CONFIG, { rootfs: { type: 'layers', diff_ids: [] } });
      const layers = [...first.layers, second.descriptor];
      const manifest = pretty(OCI_MANIFEST, { ...first, config: config.descriptor, layers });
      const firstLayer = { descriptor: first.layers[0]!, bytes: cosigned(both).blobs.get(first.layers[0]!.digest)! };
      const grown = built(manifest, [config, second, firstLayer]);
      await deliverAll(targetAt(at('grow'), journal), [signed([both, grown, '.sig'])]);
      expect((await signaturesThere('grow')).layers).toEqual([...before.layers, second.descriptor]);
    });

    it('of cosign that cannot be added to stop the load, and say what to do', async () => {
      const there = await signThere('step', 'theirs', false);
      const sample = signed([both, cosigned(both), '.sig']);
      const loading = deliverAll(targetAt(at('step')), [sample]);
      await expect(loading).rejects.toMatchObject({
        code: 'name-taken',
        message: expect.stringContaining(there.digest) as string,
        hint: expect.stringMatching(/crane manifest .*\.sig.*overwrite: true.*referrers: false/) as string,
      });
      expect(await look('step').head(digest(both))).toBeUndefined();
      await deliverAll(targetAt(at('step'), memoryJournal(), true), [sample]);
      expect((await look('step').head(tagFor(both, '.sig')))?.digest).toBe(digest(cosigned(both)));
    });

    it('beside a bundle: the list of its images that imgpkg left there stays', async () => {
      const list = image({ layers: ['ours'], docker: true });
      const suffix = '.image-locations.imgpkg';
      const config = await pushBlob(registry.host, 'list2/team/app', OCI_CONFIG, Buffer.from('{}'));
      const theirs = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] };
      const there = await pushDocument(registry.host, 'list2/team/app', theirs, tagFor(both, suffix));
      const journal = memoryJournal();
      await deliverAll(targetAt(at('list2'), journal), [signed([both, list, suffix])]);
      expect((await look('list2').head(tagFor(both, suffix)))?.digest).toBe(there.digest);
      expect((await deliverAll(targetAt(at('list2'), journal), [signed([both, list, suffix])])).present).toHaveLength(
        1,
      );
      await deliverAll(targetAt(at('fresh'), memoryJournal()), [signed([both, list, suffix])]);
      expect((await look('fresh').head(tagFor(both, suffix)))?.digest).toBe(digest(list));
    });

    it('of an artifact that itself refers to something: the root is listed too', async () => {
      const sbom = referrer(both, 'application/spdx+json');
      await deliverAll(targetAt(at('root')), [builtSample('a.example/team/app:sbom', sbom)]);
      expect(await listIn(registry.host, 'root/team/app', both)).toHaveLength(1);
    });
  });
});

describe.skipIf(missing('docker-registry') !== '')(
  `a registry that lists referrers itself${missing('docker-registry')}`,
  () => {
    let behind: DockerRegistry;
    beforeAll(async () => {
      behind = await startDockerRegistry();
    });
    afterAll(() => behind.stop());

    it('is left to do so: nothing is put under a fallback tag', async () => {
      const listed: object[] = [];
      const front = await startServer((request, response) => {
        const { headers, method, url = '' } = request;
        if (url.includes('/referrers/')) {
          response.writeHead(200, { 'content-type': OCI_INDEX });
          return response.end(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: listed }));
        }
        const inner = forward({ host: '127.0.0.1', port: behind.host.split(':')[1], path: url, method, headers });
        inner.on('response', (answer) => {
          const isReferrer = method === 'PUT' && url.endsWith(digest(bundle));
          if (isReferrer) listed.push(bundle.root.descriptor);
          response.writeHead(answer.statusCode ?? 0, {
            ...answer.headers,
            ...(isReferrer ? { 'oci-subject': digest(both) } : {}),
          });
          answer.pipe(response);
        });
        return request.pipe(inner);
      });
      const bundle = referrer(both);
      await deliverAll(targetAt(`${front.host}/own`), [signed([both, bundle])]);
      expect(listed).toHaveLength(1);
      expect(front.seen.filter((line) => line.startsWith('PUT') && line.includes('sha256-'))).toEqual([]);
      expect((await deliverAll(targetAt(`${front.host}/own`), [signed([both, bundle])])).present).toHaveLength(1);
      await front.stop();
    });
  },
);

describe.skipIf(missing('docker-registry') !== '')(`foreign layers${missing('docker-registry')}`, () => {
  const layer = Buffer.from('a base layer of Windows');
  const config = pretty('application/vnd.oci.image.config.v1+json', { os: 'windows', architecture: 'amd64' });
  const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
  const foreign = { mediaType, digest: digestOf(layer), size: layer.length, urls: ['https://downloads.example/layer'] };
  const root = pretty(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: [foreign],
  });
  const windows = built(root, [config, { descriptor: foreign, bytes: layer }]);

  it('are refused by a registry that does not, which the error explains', async () => {
    const registry = await startDockerRegistry();
    const settings = { ctx: quietContext(), environment: {}, upstreams: new Map() };
    const network = createNetwork({ ...settings, retry: { attempts: 2, firstPause: 1, longestPause: 1 } });
    const repository = network.repository(registry.host, 'foreign/windows');
    for (const { descriptor, bytes } of [config, { descriptor: foreign, bytes: layer }])
      await repository.upload(descriptor, oneBlock(bytes));
    await expect(repository.putDocument(root, digest(windows))).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('it has foreign layers, with URLs that this registry does not allow') as string,
      hint: expect.stringContaining('validation.manifests.urls.allow') as string,
    });
    await network.close();
    await registry.stop();
  });

  it('are delivered like all others, where the registry allows layers with URLs', async () => {
    const registry = await startDockerRegistry({ allowUrls: true });
    await deliverAll(targetAt(`${registry.host}/foreign`), [builtSample('a.example/windows:1', windows)]);
    const repository = createNetwork({ ctx: quietContext(), environment: {}, upstreams: new Map() }).repository(
      registry.host,
      'foreign/windows',
    );
    expect((await repository.head('1'))?.digest).toBe(digest(windows));
    expect(await repository.hasBlob(foreign)).toBe(true);
    await registry.stop();
  });
});
