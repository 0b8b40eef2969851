import { beforeEach, describe, expect, it } from 'vitest';
import type { Entry } from '../../src/manifest/manifest.ts';
import { imageRefSource } from '../../src/sources/images/ref.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { fakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { imageEntry } from '../support/image-sources.ts';
import { image } from '../support/images.ts';
import { bench } from '../support/source-environment.ts';

const NAME = 'docker.io/milvusdb/milvus';

let registry: FakeRegistry;
beforeEach(() => {
  registry = fakeRegistry();
});

/** The tag that is locked. */
async function tagOf(written: string, track: string, tags: readonly string[], upgrade = true): Promise<string> {
  for (const tag of tags) registry.push(`${NAME}:${tag}`, image({ layers: [tag] }));
  const entry: Entry = imageEntry('ref', `${NAME}:${written}`, { track });
  const { env, store } = bench('/nowhere', registry.network, memoryStore());
  const [locked] = await imageRefSource.resolve(entry, store, { ...env, upgrade });
  expect(locked!.from).toBe(locked!.name);
  expect(locked!.asked).toEqual(entry.asked);
  return locked!.name.slice(NAME.length + 1);
}

describe('a tag that follows a range', () => {
  it.each<[string, string, string[], string]>([
    ['v2.6.5', '~2.6', ['v2.6.5', 'v2.6.7', 'v2.6.10', 'v2.7.0', 'v2.6.9'], 'v2.6.10'],
    ['v2.6.5-gpu', '~2.6', ['v2.6.5-gpu', 'v2.6.7', 'v2.6.6-gpu', '2.6.8-gpu', 'v2.6.9-gpu-arm64'], 'v2.6.6-gpu'],
    ['2.6.5', '~2.6', ['2.6.5', 'v2.6.7', '2.6.7-rc1', '2.6', '2.6.5.1'], '2.6.5'],
    ['v2.6.5', '>=2.6, <4', ['v2.6.5', 'v3.1.0', 'v4.0.0'], 'v3.1.0'],
    ['25.08-py3', '>=25.8', ['25.08-py3', '25.10-py3', '25.9-py3', '25.12-py3-igpu', '26.01-py2'], '25.10-py3'],
    ['3', '*', ['3', '4', '10', '9', 'latest', '10.1'], '10'],
    ['release-1.2', '^1', ['release-1.2', 'release-1.30', 'release-2.0', '1.40'], 'release-1.30'],
    ['1.2.3-ubuntu22.04', '^1', ['1.2.3-ubuntu22.04', '1.4.0-ubuntu24.04', '1.3.0-ubuntu22.04'], '1.3.0-ubuntu22.04'],
    ['v2.6.5', '~2.7', ['v2.6.5', 'v2.7.1'], 'v2.7.1'],
    ['25.8', '*', ['25.8', '25.08', '25.008'], '25.008'],
  ])('%s with track: %s', async (written, track, tags, expected) => {
    expect(await tagOf(written, track, tags)).toBe(expected);
    registry = fakeRegistry();
    expect(await tagOf(written, track, [...tags].reverse())).toBe(expected);
  });

  it('stays as written where nobody upgrades, and asks for no tags', async () => {
    expect(await tagOf('v2.6.5', '~2.6', ['v2.6.5', 'v2.6.7'], false)).toBe('v2.6.5');
    expect(registry.asked).not.toContain('tags');
  });

  it('says that there is none', async () => {
    await expect(tagOf('v2.6.5', '~3', ['v2.6.5'])).rejects.toMatchObject({
      code: 'not-found',
      message: `${NAME}:v2.6.5: expected a tag like it in the range ~3, found none upstream`,
    });
  });
});
