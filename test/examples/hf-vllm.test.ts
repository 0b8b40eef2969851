import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../support/cli.ts';
import { noHubClient, withHubClient } from '../support/hub-client.ts';

const DEMO = fileURLToPath(new URL('../../examples/hf-vllm/demo.mjs', import.meta.url));
const MODEL = 'nvidia/Llama-3.1-Nemotron-Nano-8B-v1';

describe('examples/hf-vllm', () => {
  const base = mkdtempSync(join(tmpdir(), 'dray-'));
  const out = join(base, 'out');
  let said: string;
  beforeAll(async () => {
    said = await must(process.execPath, [DEMO, out]);
  }, 120_000);
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it('locks the commit, the licence and the card, and nothing of where they were played', () => {
    const lock = readFileSync(join(out, 'connected/dray.lock'), 'utf8');
    expect(lock).toMatch(new RegExp(`from: hf://${MODEL}@[0-9a-f]{40}\n`));
    expect(lock).toContain('licence: llama3.1');
    expect(lock).toContain('card: README.md');
    expect(lock).not.toContain('127.0.0.1');
    expect(lock).not.toContain('consolidated');
    expect(said).toContain('3 deliveries: 3 sent');
  });

  it.skipIf(noHubClient !== '')(
    `leaves a cache from which the real client serves model and dataset offline${noHubClient}`,
    async () => {
      const found = await withHubClient(
        { home: base, cache: join(out, 'enclave/hub') },
        `
path = hub.snapshot_download('${MODEL}')
index = json.load(open(os.path.join(path, 'model.safetensors.index.json')))
shards = sorted(set(index['weight_map'].values()))
data = hub.hf_hub_download('nvidia/HelpSteer3', 'preference/validation.jsonl.gz', repo_type='dataset', revision='v1.0')
print(json.dumps([[os.path.getsize(os.path.join(path, shard)) > 8000 for shard in shards], json.load(open(data))['domain']]))`,
      );
      expect(found).toEqual([[true, true], 'stem']);
    },
  );
});
