import { afterEach, describe, expect, it } from 'vitest';
import type { Repository } from '../../src/registry/repository.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startServer } from '../support/loopback-server.ts';
import type { Listener, LoopbackServer } from '../support/loopback-server.ts';
import { missing } from '../support/programs.ts';
import { pushBlob, pushDocument } from '../support/push.ts';
import { network } from './support.ts';

const SUBJECT = digestOf('subject');
const PATH = `/v2/team/app/referrers/${SUBJECT}`;
const servers: LoopbackServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A repository of a registry that answers what it is told to. */
async function repository(
  answer: (path: string) => Answer,
): Promise<{ team: Repository; seen: readonly string[]; server: LoopbackServer }> {
  const listen: Listener = ({ url = '' }, response) => {
    if (url === '/v2/') return response.end('{}');
    const { status = 200, headers = {}, body = '' } = answer(url);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return response.writeHead(status, { 'content-type': OCI_INDEX, ...headers }).end(text);
  };
  const server = await startServer(listen);
  servers.push(server);
  return { team: network().repository(server.host, 'team/app'), seen: server.seen, server };
}

function list(...contents: readonly string[]): object {
  const manifests = contents.map((content) => ({
    mediaType: OCI_MANIFEST,
    digest: digestOf(content),
    size: content.length,
  }));
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
}

async function all<T>(items: AsyncIterable<T> | undefined): Promise<readonly T[] | undefined> {
  if (items === undefined) return undefined;
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function referrersIn(team: Repository): Promise<readonly string[] | undefined> {
  return (await all(await team.referrers(SUBJECT)))?.map(({ digest }) => digest);
}

describe('a list of referrers', () => {
  it('comes in pages, relative, absolute, or under a name that only the registry knows', async () => {
    const pages: Record<string, Answer> = {
      [PATH]: { body: list('a'), headers: { link: `<${PATH}?page=2>; rel="next"` } },
      [`${PATH}?page=2`]: { body: list(), headers: { link: `<?page=3>; title="more"; rel=next` } },
      [`${PATH}?page=3`]: {
        body: list('b', 'c'),
        headers: { link: `<http://registry.internal:5000${PATH}?page=4>;rel="next"` },
      },
      [`${PATH}?page=4`]: { body: list('d'), headers: { link: `<${PATH}>; rel="first"` } },
    };
    const { team } = await repository((path) => pages[path] ?? { status: 500 });
    expect(await referrersIn(team)).toEqual(['a', 'b', 'c', 'd'].map((content) => digestOf(content)));
  });

  it('is asked for page by page, as far as somebody reads', async () => {
    let page = 0;
    const { team, seen } = await repository(() => ({
      body: list(...Array.from({ length: 100 }, (_, i) => `${page}/${i}`)),
      headers: { link: `<${PATH}?page=${++page}>; rel="next"` },
    }));
    let read = 0;
    for await (const { size } of (await team.referrers(SUBJECT)) ?? []) if (size > 0 && ++read === 250) break;
    expect(seen.filter((asked) => asked.includes('/referrers/'))).toHaveLength(3);
  });

  it.each<[string, Answer]>([
    ['404', { status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' }],
    ['405', { status: 405 }],
    ['a page for people', { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html>' }],
  ])('is not there: %s', async (_, answer) => {
    const { team } = await repository(() => answer);
    expect(await referrersIn(team)).toBeUndefined();
  });

  it.each<[string, (path: string) => Answer, string]>([
    [
      'that names itself as its next page',
      () => ({ body: list('a'), headers: { link: `<${PATH}>; rel="next"` } }),
      'never ends',
    ],
    [
      'whose pages go round',
      (path) => ({ body: list('a'), headers: { link: `<${PATH}?${path.endsWith('1') ? 2 : 1}>; rel="next"` } }),
      'never ends',
    ],
    ['that is no JSON', () => ({ body: '{' }), 'is not JSON in UTF-8'],
    [
      'of another digest algorithm',
      () => ({ body: { manifests: [{ mediaType: OCI_MANIFEST, digest: 'sha512:00', size: 1 }] } }),
      'expected a sha256 digest',
    ],
    [
      'larger than a document may be',
      () => ({ body: { ...list('a'), annotations: { a: 'x'.repeat(5 * 1024 * 1024) } } }),
      'expected an answer of at most 4194304 bytes',
    ],
    [
      'whose second page is refused',
      (path) => (path === PATH ? { body: list('a'), headers: { link: `<${PATH}?2>; rel="next"` } } : { status: 403 }),
      'answered 403',
    ],
  ])('%s is an error', async (_, answer, message) => {
    const { team } = await repository(answer);
    await expect(referrersIn(team)).rejects.toThrow(message);
  });
});

describe('tags', () => {
  it('come in pages', async () => {
    const { team, seen } = await repository((path) =>
      path.includes('last=b')
        ? { body: { name: 'team/app', tags: ['c'] } }
        : {
            body: { name: 'team/app', tags: ['a', 'b'] },
            headers: { link: '</v2/team/app/tags/list?n=1000&last=b>; rel="next"' },
          },
    );
    expect(await all(team.tags())).toEqual(['a', 'b', 'c']);
    expect(seen).toContain('GET /v2/team/app/tags/list?n=1000');
  });

  it('of a repository without any are none', async () => {
    const { team } = await repository(() => ({ body: { name: 'team/app', tags: null } }));
    expect(await all(team.tags())).toEqual([]);
  });

  it('that are no list are an error', async () => {
    const { team } = await repository(() => ({ body: { tags: 'many' } }));
    await expect(all(team.tags())).rejects.toThrow('sent no list of tags');
  });

  it('of a repository that is not there are not found', async () => {
    const { team } = await repository(() => ({ status: 404, body: { errors: [{ code: 'NAME_UNKNOWN' }] } }));
    await expect(all(team.tags())).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe.each(['docker-registry', 'registry'] as const)('%s', (name) => {
  it.skipIf(missing(name) !== '')(`lists tags and no referrers${missing(name)}`, async () => {
    const registry = await startDockerRegistry({ program: name });
    try {
      const config = await pushBlob(registry.host, 'team/app', 'application/vnd.oci.empty.v1+json', Buffer.from('{}'));
      const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [config] };
      for (const tag of ['1.0', '1.1', 'latest']) await pushDocument(registry.host, 'team/app', image, tag);
      const team = network().repository(registry.host, 'team/app');
      // docker-registry 2.8 has them in no order.
      expect([...((await all(team.tags())) ?? [])].sort()).toEqual(['1.0', '1.1', 'latest']);
      expect(await team.referrers(digestOf('anything'))).toBeUndefined();
      await expect(all(network().repository(registry.host, 'absent').tags())).rejects.toMatchObject({
        code: 'not-found',
      });
    } finally {
      await registry.stop();
    }
  });
});

describe('a manifest of 5 MB', () => {
  it('is refused before it is all there', async () => {
    const huge = { schemaVersion: 2, mediaType: OCI_MANIFEST, annotations: { a: 'x'.repeat(5 * 1024 * 1024) } };
    const { team } = await repository(() => ({ body: huge, headers: { 'content-type': OCI_MANIFEST } }));
    await expect(team.document('1')).rejects.toThrow('expected a manifest of at most 4194304 bytes, found more');
  });
});

describe('questions', () => {
  it('share their connections, HEAD as well: most are about what is not there', async () => {
    const { team, server } = await repository(() => ({ status: 404 }));
    let connections = 0;
    server.server.on('connection', () => connections++);
    const ask = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) expect(await team.head(`absent-${i}`)).toBeUndefined();
    };
    await Promise.all([ask(), ask()]);
    expect(connections).toBeLessThanOrEqual(3);
  });
});
