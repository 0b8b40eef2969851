import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_TAR_GZIP,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
} from '../../src/oci/media-types.ts';
import { document } from '../../src/oci/artifact.ts';
import type { HostAccess } from '../../src/registry/network.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { makeCertificates } from '../support/certificates.ts';
import { OPEN_SESAME, hasDockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { program } from '../support/programs.ts';
import { blobOf, blocksOf, gather, manifestOf, network, randomBlob } from './support.ts';

const crane = program('crane');
const CONFIG = blobOf(Buffer.from('{"architecture":"amd64","os":"linux"}'), OCI_CONFIG);
const LARGE = randomBlob(7_500_000);
const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;

describe.skipIf(!hasDockerRegistry)('against docker-registry (docker-registry is not installed)', () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry.stop());
  const open = (name: string): Repository => network().repository(registry.host, name);

  it('uploads blobs of every size and reads them back from any byte on', async () => {
    const repository = open('whole/blobs');
    for (const blob of [
      CONFIG,
      LARGE,
      randomBlob(1),
      randomBlob(1_048_576),
      randomBlob(1_048_577),
      blobOf(Buffer.alloc(0)),
    ]) {
      expect(await repository.hasBlob(blob.descriptor)).toBe(false);
      await repository.upload(blob.descriptor, blocksOf(blob.bytes));
      expect(await repository.hasBlob(blob.descriptor)).toBe(true);
      expect((await gather(repository.blob(blob.descriptor)(0))).equals(blob.bytes)).toBe(true);
      const from = Math.floor(blob.bytes.length / 3);
      expect((await gather(repository.blob(blob.descriptor)(from))).equals(blob.bytes.subarray(from))).toBe(true);
    }
  });

  it('has a blob only in the size it was named with', async () => {
    const repository = open('whole/sizes');
    await repository.upload(CONFIG.descriptor, blocksOf(CONFIG.bytes));
    expect(await repository.hasBlob({ ...CONFIG.descriptor, size: CONFIG.bytes.length + 1 })).toBe(false);
  });

  it.each([1000, 3_000_000])('is refused bytes that have another digest (%i bytes)', async (size) => {
    const { descriptor } = randomBlob(size);
    const wrong = randomBlob(size);
    await expect(open('whole/wrong').upload(descriptor, blocksOf(wrong.bytes))).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('DIGEST_INVALID') as string,
    });
    expect(await open('whole/wrong').hasBlob(descriptor)).toBe(false);
  });

  it('leaves nothing of content that fails at its end', async () => {
    const blob = randomBlob(3_000_000);
    const failing = (async function* () {
      yield* blocksOf(blob.bytes);
      throw new DrayError('content-damaged', 'not what was signed');
    })();
    await expect(open('whole/failing').upload(blob.descriptor, failing)).rejects.toThrow('not what was signed');
    expect(await open('whole/failing').hasBlob(blob.descriptor)).toBe(false);
  });

  it('says what does not exist', async () => {
    const repository = open('whole/absent');
    expect(await repository.head('latest')).toBeUndefined();
    await expect(repository.document('latest')).rejects.toMatchObject({
      code: 'not-found',
      message: `${registry.host}/whole/absent:latest: there is no such manifest`,
    });
    await expect(gather(repository.blob(LARGE.descriptor)(0))).rejects.toEqual(code('not-found'));
  });

  it('puts documents under digest and tag and reads the same bytes back', async () => {
    const repository = open('documents/image');
    for (const blob of [CONFIG, LARGE]) await repository.upload(blob.descriptor, blocksOf(blob.bytes));
    const manifest = manifestOf(CONFIG.descriptor, [LARGE.descriptor]);
    const platform = { os: 'linux', architecture: 'amd64' };
    const index = document(OCI_INDEX, {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [{ ...manifest.descriptor, platform }],
    });
    await repository.putDocument(manifest, manifest.descriptor.digest);
    await repository.putDocument(index, 'v1');
    for (const reference of ['v1', index.descriptor.digest]) {
      expect(await repository.head(reference)).toEqual(index.descriptor);
      const read = await repository.document(reference);
      expect(read.descriptor).toEqual(index.descriptor);
      expect(Buffer.from(read.bytes).equals(index.bytes)).toBe(true);
    }
    if (crane === undefined) return;
    const name = `${registry.host}/documents/image`;
    expect(
      execFileSync(crane, ['digest', `${name}:v1`])
        .toString()
        .trim(),
    ).toBe(index.descriptor.digest);
    expect(
      execFileSync(crane, ['blob', `${name}@${LARGE.descriptor.digest}`], { maxBuffer: 1e8 }).equals(LARGE.bytes),
    ).toBe(true);
  });

  it('keeps Docker schema 2 as it is', async () => {
    const repository = open('documents/docker');
    const layer = { ...LARGE.descriptor, mediaType: DOCKER_LAYER_TAR_GZIP };
    const config = { ...CONFIG.descriptor, mediaType: DOCKER_CONFIG };
    await repository.upload(config, blocksOf(CONFIG.bytes));
    await repository.upload(layer, blocksOf(LARGE.bytes));
    const manifest = manifestOf(config, [layer], DOCKER_MANIFEST);
    await repository.putDocument(manifest, 'old');
    expect((await repository.document('old')).descriptor).toEqual(manifest.descriptor);
  });

  it('passes on what the registry says to a manifest without its layers', async () => {
    const manifest = manifestOf(randomBlob(10).descriptor, []);
    await expect(open('documents/lacking').putDocument(manifest, 'v1')).rejects.toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('MANIFEST_BLOB_UNKNOWN') as string,
    });
  });

  it('mounts from another repository, and says so where it cannot', async () => {
    const [from, to] = [open('mount/from'), open('mount/to')];
    await from.upload(LARGE.descriptor, blocksOf(LARGE.bytes));
    expect(await to.mount(CONFIG.descriptor, 'mount/from')).toBe(false);
    expect(await to.mount(LARGE.descriptor, 'mount/from')).toBe(true);
    expect((await gather(to.blob(LARGE.descriptor)(0))).equals(LARGE.bytes)).toBe(true);
  });

  it('takes a blob in runs', async () => {
    const repository = open('runs/plain');
    let upload = await repository.begin();
    for (const [start, end] of [
      [0, 3_000_000],
      [3_000_000, 3_000_001],
      [3_000_001, 7_500_000],
    ] as const) {
      upload = await repository.append(upload, end - start, blocksOf(LARGE.bytes.subarray(start, end)));
      expect(upload.offset).toBe(end);
      expect((await repository.resume(upload)).offset).toBe(end);
    }
    await repository.finish(upload, LARGE.descriptor);
    expect((await gather(repository.blob(LARGE.descriptor)(0))).equals(LARGE.bytes)).toBe(true);
  });

  it('tells one byte from none, which the registry does not', async () => {
    const repository = open('runs/one');
    const begun = await repository.begin();
    expect((await repository.resume(begun)).offset).toBe(0);
    const one = await repository.append(begun, 1, blocksOf(Buffer.from('x')));
    expect(one.offset).toBe(1);
    expect((await repository.resume(one)).offset).toBe(1);
  });

  it('finds runs that add up to another digest', async () => {
    const repository = open('runs/wrong');
    const upload = await repository.append(await repository.begin(), 1000, blocksOf(randomBlob(1000).bytes));
    await expect(repository.finish(upload, randomBlob(1000).descriptor)).rejects.toEqual(code('upload-lost'));
  });

  it('forgets an upload that is cancelled, and cancels it twice', async () => {
    const repository = open('runs/cancelled');
    const upload = await repository.append(await repository.begin(), 10, blocksOf(Buffer.alloc(10)));
    await repository.cancel(upload);
    await repository.cancel(upload);
    await expect(repository.resume(upload)).rejects.toEqual(code('upload-lost'));
  });

  it('finds that a run cut off in the middle has cost the upload', async () => {
    const repository = open('runs/cut');
    const upload = await repository.append(
      await repository.begin(),
      1_000_000,
      blocksOf(LARGE.bytes.subarray(0, 1_000_000)),
    );
    const failing = (async function* () {
      yield* blocksOf(LARGE.bytes.subarray(1_000_000, 4_000_000));
      throw new DrayError('content-damaged', 'unreadable');
    })();
    await expect(repository.append(upload, 5_000_000, failing)).rejects.toThrow('unreadable');
    // The registry notices it a moment later.
    await vi.waitFor(() => expect(repository.resume(upload)).rejects.toEqual(code('upload-lost')), 5000);
  });

  it('loses open uploads when the registry is restarted without a secret', async () => {
    const repository = open('runs/restarted');
    const upload = await repository.append(
      await repository.begin(),
      1_000_000,
      blocksOf(LARGE.bytes.subarray(0, 1_000_000)),
    );
    await registry.restart();
    await expect(repository.resume(upload)).rejects.toEqual(code('upload-lost'));
    await expect(repository.append(upload, 10, blocksOf(Buffer.alloc(10)))).rejects.toEqual(code('upload-lost'));
  });
});

describe.skipIf(!hasDockerRegistry)(
  'against docker-registry with http.secret (docker-registry is not installed)',
  () => {
    it('goes on with an open upload after a restart, from another process', async () => {
      const registry = await startDockerRegistry({ secret: 'never mind' });
      try {
        let kept = JSON.stringify(await network().repository(registry.host, 'runs/kept').begin());
        for (const [start, end] of [
          [0, 2_000_000],
          [2_000_000, 5_000_000],
          [5_000_000, 7_500_000],
        ] as const) {
          await registry.restart();
          const repository = network().repository(registry.host, 'runs/kept');
          const upload = await repository.resume(JSON.parse(kept) as { location: string; offset: number });
          expect(upload.offset).toBe(start);
          kept = JSON.stringify(
            await repository.append(upload, end - start, blocksOf(LARGE.bytes.subarray(start, end))),
          );
        }
        const repository = network().repository(registry.host, 'runs/kept');
        await repository.finish(JSON.parse(kept) as { location: string; offset: number }, LARGE.descriptor);
        expect(await repository.hasBlob(LARGE.descriptor)).toBe(true);
      } finally {
        await registry.stop();
      }
    });
  },
);

describe.skipIf(!hasDockerRegistry)('against docker-registry with logins (docker-registry is not installed)', () => {
  let registry: DockerRegistry;
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  beforeAll(async () => {
    registry = await startDockerRegistry({ htpasswd: OPEN_SESAME });
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await registry.stop();
  });
  const loggedIn = (login: string): Repository => {
    const auths = { [registry.host]: { auth: Buffer.from(login).toString('base64') } };
    writeFileSync(join(directory, 'config.json'), JSON.stringify({ auths }));
    return network({ environment: { DOCKER_CONFIG: directory } }).repository(registry.host, 'private/image');
  };

  it('logs in with what Docker keeps', async () => {
    const repository = loggedIn('user:open sesame');
    await repository.upload(LARGE.descriptor, blocksOf(LARGE.bytes));
    expect((await gather(repository.blob(LARGE.descriptor)(5))).equals(LARGE.bytes.subarray(5))).toBe(true);
  });

  it('streams after logging in with the first request of all', async () => {
    const blob = randomBlob(3_000_000);
    await loggedIn('user:open sesame').upload(blob.descriptor, blocksOf(blob.bytes));
  });

  it('says that a login is refused, without showing it', async () => {
    const refused = loggedIn('user:wrong-secret').head('latest');
    await expect(refused).rejects.toEqual(code('login-refused'));
    await expect(refused).rejects.not.toThrow('wrong-secret');
  });

  it('says that none is known', async () => {
    await expect(network().repository(registry.host, 'private/image').head('latest')).rejects.toMatchObject({
      code: 'login-refused',
      message: `${registry.host}/private/image: asks for a login, and none is known for ${registry.host}`,
    });
  });
});

describe.skipIf(!hasDockerRegistry || program('openssl') === undefined)(
  'against docker-registry with TLS (docker-registry or openssl is not installed)',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'dray-'));
    let registry: DockerRegistry;
    beforeAll(async () => {
      const { ca, server } = makeCertificates();
      writeFileSync(join(directory, 'ca.pem'), ca);
      registry = await startDockerRegistry({ tls: server });
    });
    afterAll(async () => {
      rmSync(directory, { recursive: true });
      await registry.stop();
    });

    it('reaches it with the authority that is named', async () => {
      const upstreams = new Map([[registry.host, { caFile: join(directory, 'ca.pem') }]]);
      const repository = network({ upstreams }).repository(registry.host, 'a/b');
      await repository.upload(LARGE.descriptor, blocksOf(LARGE.bytes));
      expect((await gather(repository.blob(LARGE.descriptor)(0))).equals(LARGE.bytes)).toBe(true);
    });

    it('finds out that it speaks TLS, and says what is missing where no authority is named', async () => {
      await expect(network().repository(registry.host, 'a/b').head('x')).rejects.toMatchObject({
        code: 'unreachable',
        hint: 'name the certificate authority of this host with `caFile`',
      });
    });

    it('shows its own certificate where the registry lets in nobody else', async () => {
      const { ca, server, client } = makeCertificates();
      const file = (name: string, text: string): string => {
        writeFileSync(join(directory, name), text);
        return join(directory, name);
      };
      const closed = await startDockerRegistry({ tls: { ...server, clients: ca } });
      const caFile = file('closed.pem', ca);
      const own = { caFile, certFile: file('client.pem', client.cert), keyFile: file('client.key', client.key) };
      const at = (access: HostAccess): Repository =>
        network({ upstreams: new Map([[closed.host, access]]) }).repository(closed.host, 'a/b');
      try {
        await expect(at({ caFile }).head('x')).rejects.toEqual(code('unreachable'));
        await at(own).upload(LARGE.descriptor, blocksOf(LARGE.bytes));
        expect((await gather(at(own).blob(LARGE.descriptor)(0))).equals(LARGE.bytes)).toBe(true);
      } finally {
        await closed.stop();
      }
    });

    it('names a certificate file that is not there', async () => {
      const upstreams = new Map([[registry.host, { caFile: join(directory, 'none.pem') }]]);
      await expect(network({ upstreams }).repository(registry.host, 'a/b').head('x')).rejects.toThrow('none.pem');
    });
  },
);
