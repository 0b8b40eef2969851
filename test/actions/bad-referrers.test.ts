import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { manifest, workplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { image } from '../support/images.ts';
import { startServer } from '../support/loopback-server.ts';
import type { LoopbackServer } from '../support/loopback-server.ts';
import { tagFor } from '../support/signatures.ts';

/** Registries that list more signatures than anybody made, in each of the ways that there are to list them. */

const wanted = image({ layers: ['signed'] });
const { digest: root } = wanted.root.descriptor;
const MANY = 100_000;

function list(from: number, to: number): Buffer {
  const manifests = Array.from({ length: to - from }, (_, nth) => ({
    ...{ mediaType: OCI_MANIFEST, size: 100, artifactType: 'application/x.signature' },
    digest: digestOf(String(from + nth)),
  }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}

type Answer = { readonly bytes: Buffer; readonly link?: string } | undefined;

let server: LoopbackServer;
let place: Workplace;
let referrers: (page: number) => Answer;
let underTag: Buffer | undefined;
/** The list has its tag, and is not there. */
let isLost: boolean;
beforeEach(async () => {
  [referrers, underTag, isLost] = [() => undefined, undefined, false];
  server = await startServer(({ method, url = '/' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
    const name = pathname.split('/').at(-1) ?? '';
    const send = (bytes: Uint8Array | undefined, type: string, link?: string): void => {
      if (bytes === undefined) {
        response.writeHead(404).end();
        return;
      }
      const said = { 'content-type': type, 'content-length': String(bytes.length) };
      const more = { 'docker-content-digest': digestOf(bytes), ...(link === undefined ? {} : { link }) };
      response.writeHead(200, { ...said, ...more }).end(method === 'HEAD' ? undefined : bytes);
    };
    const there = isLost && name.startsWith('sha256:') ? undefined : underTag;
    const isList = underTag !== undefined && [tagFor(wanted), digestOf(underTag)].includes(name);
    if (pathname === '/v2/') send(Buffer.from('{}'), 'application/json');
    else if (pathname.includes('/referrers/')) {
      const answer = name === root ? referrers(Number(searchParams.get('page') ?? 0)) : undefined;
      send(answer?.bytes, OCI_INDEX, answer?.link);
    } else if (pathname.includes('/blobs/')) send(wanted.blobs.get(name as typeof root), 'application/octet-stream');
    else if (isList) send(there, OCI_INDEX);
    else send(name === '1' || name === root ? wanted.root.bytes : undefined, OCI_MANIFEST);
  });
  place = workplace();
  place.write({ 'dray.yaml': manifest('cargo', `images: ["${server.host}/app:1"]\n`) });
});
afterEach(() => server.stop());

describe('a hundred thousand referrers', () => {
  it.each<[string, () => void, RegExp]>([
    [
      'in pages',
      () =>
        (referrers = (page) => ({
          bytes: list(page * 100, (page + 1) * 100),
          link: `</v2/app/referrers/${root}?page=${page + 1}>; rel="next"`,
        })),
      /expected at most 1000 of them, found more$/,
    ],
    ['in one answer', () => (referrers = () => ({ bytes: list(0, MANY) })), /of at most 4194304 bytes, found more$/],
    ['under the fallback tag', () => (underTag = list(0, MANY)), /of at most 4194304 bytes, found more$/],
  ])('%s: an error that says what to do, after a few questions', async (_, arrange, says) => {
    arrange();
    const { message, hint, where } = await place.fail(['lock'], 1, 'upstream-invalid');
    expect(message).toMatch(says);
    expect(message).toContain(`${server.host}/app:1: signatures and other referrers: `);
    expect(hint).toBe('`referrers: false` on this entry carries it without them');
    expect(where).toMatchObject({ artifact: `${server.host}/app:1`, line: 4 });
    expect(server.seen.length).toBeLessThan(40);
    place.write({ 'dray.yaml': manifest('cargo', `images: [{ref: "${server.host}/app:1", referrers: false}]\n`) });
    await place.succeed(['lock']);
    await place.succeed(['fetch']);
  });

  it('and two thousand under the fallback tag, of which none is asked for', async () => {
    underTag = list(0, 2000);
    const { message } = await place.fail(['lock'], 1, 'upstream-invalid');
    expect(message).toMatch(/expected at most 1000 of them, found more$/);
    expect(server.seen.length).toBeLessThan(20);
  });
});

it('a list that the registry names but does not have is told of', async () => {
  underTag = list(0, 1);
  isLost = true;
  const { status, err } = await place.run(['lock']);
  expect(status).toBe(0);
  expect(err).toContain(`the tag ${tagFor(wanted)} names ${digestOf(underTag)}, which is not there; it is left out`);
});

it('a registry that answers what cannot be right is upstream, not a target', async () => {
  const odd = await startServer((_, response) => response.writeHead(418).end());
  place.write({ 'dray.yaml': manifest('cargo', `images: ["${odd.host}/app:1"]\n`) });
  const { hint } = await place.fail(['lock'], 1, 'upstream-invalid');
  await odd.stop();
  expect(hint).toContain('proxy');
});
