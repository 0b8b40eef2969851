import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { noise } from '../support/deliveries.ts';
import { startHub } from '../support/hugging-face.ts';
import type { LoopbackHub } from '../support/hugging-face.ts';
import { noHubClient, tryHubClient, withHubClient } from '../support/hub-client.ts';

/** What is played is as the real thing as far as its own client can tell: only then do the other tests mean anything. */
describe.skipIf(noHubClient !== '')(`the played Hub, for the real huggingface_hub${noHubClient}`, () => {
  const WEIGHTS = noise(3_000_000, 'weights');
  const FILES = {
    'README.md': '# card',
    'config.json': '{"a": 1}',
    'empty.txt': '',
    'model.safetensors': { content: WEIGHTS, lfs: true },
    'sub/a b#ü.txt': 'odd name',
  };
  let hub: LoopbackHub;
  let home: string;
  beforeAll(async () => {
    hub = await startHub({ pageSize: 2 });
  });
  afterAll(() => hub.stop());
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'dray-'));
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  test('gives whole snapshots, over several pages, with content from the Hub and from elsewhere', async () => {
    const commit = hub.publish({ path: 'org/model', files: FILES });
    const path = await withHubClient(
      { home, endpoint: hub.url },
      `print(json.dumps(hub.snapshot_download('org/model')))`,
    );
    expect(path).toBe(join(home, 'hub/models--org--model/snapshots', commit));
    for (const [title, content] of Object.entries(FILES)) {
      const bytes = Buffer.from(typeof content === 'string' ? content : content.content);
      expect(readFileSync(join(String(path), title)).equals(bytes)).toBe(true);
    }
    expect(hub.seen.filter((line) => line.includes('/tree/'))).toHaveLength(3);
    expect(hub.store.seen.length).toBeGreaterThan(0);
  });

  test('has revisions with slashes, datasets, and what a verification of a cache compares', async () => {
    hub.publish({ path: 'datasets/org/data', files: { 'a.csv': '1' }, revisions: ['main', 'refs/pr/1'] });
    const found = await withHubClient(
      { home, endpoint: hub.url },
      `
p = hub.hf_hub_download('org/data', 'a.csv', repo_type='dataset', revision='refs/pr/1')
hub.snapshot_download('org/model')
api = hub.HfApi()
v = api.verify_repo_checksums('org/model')
print(json.dumps([open(p).read(), len(v.mismatches), v.checked_count]))`,
    );
    expect(found).toEqual(['1', 0, 5]);
  });

  test('leads from an older name, keeps what is gated and private, and says so', async () => {
    hub.publish({ path: 'org/old', files: { a: '1' } });
    hub.rename('org/old', 'org/new');
    hub.publish({ path: 'org/gated', files: { a: '1' }, gated: true });
    hub.publish({ path: 'org/private', files: { a: '1' }, private: true });
    hub.tokens.set('hf_good', ['org/gated', 'org/private']);
    hub.tokens.set('hf_poor', []);
    const client = (token?: string) => ({ home, endpoint: hub.url, ...(token === undefined ? {} : { token }) });
    const load = (id: string): string => `print(json.dumps(open(hub.hf_hub_download('${id}', 'a')).read()))`;
    expect(await withHubClient(client(), load('org/old'))).toBe('1');
    expect((await tryHubClient(client(), load('org/gated'))).stderr).toContain('GatedRepoError: 401');
    expect((await tryHubClient(client('hf_poor'), load('org/gated'))).stderr).toContain('GatedRepoError: 403');
    expect((await tryHubClient(client(), load('org/private'))).stderr).toContain('RepositoryNotFoundError: 401');
    expect((await tryHubClient(client('hf_poor'), load('org/private'))).stderr).toContain(
      'RepositoryNotFoundError: 404',
    );
    expect((await tryHubClient(client(), `hub.hf_hub_download('org/model', 'gone')`)).stderr).toContain(
      'EntryNotFound',
    );
    expect((await tryHubClient(client(), `hub.snapshot_download('org/model', revision='gone')`)).stderr).toContain(
      'RevisionNotFoundError',
    );
    for (const id of ['org/gated', 'org/private']) expect(await withHubClient(client('hf_good'), load(id))).toBe('1');
    expect(hub.shown.store.size).toBe(0);
  });

  test('breaks off and lets the client go on, with other signatures', async () => {
    hub.publish({ path: 'org/broken', files: { w: { content: WEIGHTS, lfs: true } } });
    hub.faults.breakOff = 1;
    hub.faults.signedUses = 2;
    const size = await withHubClient(
      { home, endpoint: hub.url },
      `print(json.dumps(os.path.getsize(hub.hf_hub_download('org/broken', 'w'))))`,
    );
    expect(size).toBe(WEIGHTS.length);
    expect(hub.faults.breakOff).toBe(0);
  });
});
