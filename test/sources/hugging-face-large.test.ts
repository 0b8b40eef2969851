import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { formatLock, parseLock } from '../../src/manifest/lock-text.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { createNetwork } from '../../src/registry/create-network.ts';
import { datasetHubSource } from '../../src/sources/files/hf.ts';
import { openLayoutStore } from '../../src/store/oci-layout.ts';
import { startServer } from '../support/loopback-server.ts';
import type { LoopbackServer } from '../support/loopback-server.ts';
import { bench, entryOf } from '../support/source-environment.ts';

const FILES = 100_000;
const PAGE = 1000;
const COMMIT = 'c'.repeat(40);

let directory: string;
let server: LoopbackServer;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dray-'));
  // Made page by page: what is listed is nowhere held as a whole but by dray.
  server = await startServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub');
    if (!url.pathname.includes('/tree/')) return response.end(JSON.stringify({ sha: COMMIT }));
    const start = Number(url.searchParams.get('cursor') ?? 0);
    const next = start + PAGE;
    if (next < FILES) response.setHeader('link', `<${url.pathname}?cursor=${next}>; rel="next"`);
    const page = Array.from({ length: PAGE }, (_, i) => {
      const path = `train/${String(start + i).padStart(6, '0')}.parquet`;
      return { type: 'file', path, oid: 'a'.repeat(40), size: 9, lfs: { oid: digestOf(path).slice(7), size: 9 } };
    });
    return response.end(JSON.stringify(page));
  });
});
afterEach(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

test('a repository of 100,000 files is locked page by page, into a lock that is read again', async () => {
  const environment = { HF_ENDPOINT: server.url };
  const network = createNetwork({ ctx: quietContext(), environment, upstreams: new Map() });
  const at = bench(directory, network, openLayoutStore(join(directory, 'store')));
  const entry = entryOf(directory, 'files', 'hf', 'datasets/org/large');
  const [locked] = await datasetHubSource.resolve(entry, at.store, { ...at.env, environment });
  await network.close();
  expect(server.seen.filter((line) => line.includes('/tree/'))).toHaveLength(FILES / PAGE);
  expect(locked?.blobs.filter(({ title }) => title !== undefined)).toHaveLength(FILES);
  const lock = { apiVersion: 'drayage/v1', kind: 'Lock', name: 'large', groups: [], artifacts: [locked!] } as const;
  const text = formatLock({ ...lock, groups: [], artifacts: [...lock.artifacts] });
  expect(parseLock(text, 'dray.lock').artifacts[0]?.blobs).toHaveLength(locked?.blobs.length ?? 0);
});
