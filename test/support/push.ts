import { digestOf } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';

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
