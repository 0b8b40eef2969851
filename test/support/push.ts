import { digestOf } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { BuiltImage } from './images.ts';

/** The distribution protocol in its plainest form, for putting into a registry what no tool makes. @throws what `fetch` throws, and an Error with the answer */

export async function pushBlob(
  host: string,
  repository: string,
  mediaType: string,
  bytes: Buffer,
): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const begun = await expectOk(await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST' }));
  const location = new URL(begun.headers.get('location') ?? '', begun.url);
  location.searchParams.set('digest', descriptor.digest);
  await expectOk(await fetch(location, { method: 'PUT', body: Uint8Array.from(bytes) }));
  return descriptor;
}

/** A manifest or an index under a tag, or by its digest alone. */
export async function pushDocument(
  host: string,
  repository: string,
  content: object,
  tag?: string,
): Promise<Descriptor> {
  const mediaType = (content as { mediaType: string }).mediaType;
  // Not the shortest spelling: whoever writes it anew is found out.
  const bytes = Buffer.from(JSON.stringify(content, null, 3));
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const url = `http://${host}/v2/${repository}/manifests/${tag ?? descriptor.digest}`;
  await expectOk(
    await fetch(url, { method: 'PUT', body: Uint8Array.from(bytes), headers: { 'content-type': mediaType } }),
  );
  return descriptor;
}

/** The document behind a tag or a digest, byte for byte. */
export async function pullDocument(host: string, repository: string, reference: string): Promise<Buffer> {
  const types = [
    'oci.image.index.v1',
    'oci.image.manifest.v1',
    'docker.distribution.manifest.v2',
    'docker.distribution.manifest.list.v2',
  ];
  const accept = types.map((type) => `application/vnd.${type}+json`).join(', ');
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, { headers: { accept } });
  return Buffer.from(await (await expectOk(answer)).arrayBuffer());
}

async function expectOk(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
}

/** An image or an index as it was built, byte for byte: blobs, children, the root under a tag. */
export async function pushBuilt(host: string, name: string, tag: string, { root, blobs }: BuiltImage): Promise<void> {
  const documents = [...blobs].flatMap(([digest, bytes]) => {
    const mediaType = documentType(bytes);
    return mediaType === undefined || digest === root.descriptor.digest ? [] : [{ digest, bytes, mediaType }];
  });
  const isDocument = new Set<string>([root.descriptor.digest, ...documents.map(({ digest }) => digest)]);
  for (const [digest, bytes] of blobs) if (!isDocument.has(digest)) await pushBlob(host, name, '', Buffer.from(bytes));
  const put = async (reference: string, mediaType: string, bytes: Uint8Array): Promise<unknown> =>
    expectOk(
      await fetch(`http://${host}/v2/${name}/manifests/${reference}`, {
        method: 'PUT',
        body: Uint8Array.from(bytes),
        headers: { 'content-type': mediaType },
      }),
    );
  for (const { digest, bytes, mediaType } of documents) await put(digest, mediaType, bytes);
  await put(tag, root.descriptor.mediaType, root.bytes);
}

/** A blob's bytes. */
export async function pullBlob(host: string, repository: string, digest: string): Promise<Buffer> {
  const answer = await expectOk(await fetch(`http://${host}/v2/${repository}/blobs/${digest}`));
  return Buffer.from(await answer.arrayBuffer());
}

/** A manifest or an index says what it is, and has layers or manifests; anything else is a blob. */
function documentType(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
    const isOne = 'layers' in value || 'manifests' in value;
    return isOne && typeof value['mediaType'] === 'string' ? value['mediaType'] : undefined;
  } catch {
    return undefined;
  }
}
