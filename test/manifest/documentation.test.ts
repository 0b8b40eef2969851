import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readManifest } from '../../src/manifest/read-manifest.ts';
import { MANIFEST_TEMPLATE } from '../../src/manifest/template.ts';
import { parseSite } from '../../src/site/parse-site.ts';
import { SITE_TEMPLATE } from '../../src/site/template.ts';
import { SOURCES } from '../../src/sources/index.ts';
import { writtenFiles } from '../support/written-manifest.ts';

/** Every example that people are shown is read by what will read theirs. */
const BESIDE = {
  'images.txt': '# ours\nghcr.io/example/app:1\n',
  'training.yaml': 'files: [datasets/training]\n',
  'requirements.txt': 'torch\n',
};
const HEAD = 'apiVersion: drayage/v1\nkind: Manifest\nname: retriever\n';
const { directory, remove } = writtenFiles(BESIDE);
afterAll(remove);

const examplesIn = (page: string): string[] => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', page), 'utf8');
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, example]) => example!);
};

/** Takes the `#` from before lines of YAML, and leaves it before words. */
const uncommented = (text: string): string => text.replaceAll(/^#( {2,}\S|[a-z]+:)/gm, '$1');

async function read(text: string): ReturnType<typeof readManifest> {
  const written = writtenFiles({ ...BESIDE, 'dray.yaml': text });
  try {
    return await readManifest(join(written.directory, 'dray.yaml'), {});
  } finally {
    written.remove();
  }
}

describe('docs/manifest.md', () => {
  const examples = examplesIn('manifest.md');
  test('has examples', () => expect(examples.length).toBeGreaterThan(7));

  test.each(examples)('example %#', async (example) => {
    const part = /^(?:images|charts|wheels|models|files|include):/m.test(example) ? example : `${example}\nfiles: a\n`;
    const { entries } = await read(part.startsWith('apiVersion') ? part : HEAD + part);
    for (const { kind, origin } of entries)
      expect(SOURCES.some((source) => source.kind === kind && source.origin === origin)).toBe(true);
  });
});

test.each(examplesIn('site.md'))('docs/site.md, example %#', (example) => {
  expect(parseSite(example, join(directory, 'site.yaml')).targets).toHaveLength(5);
});

describe('what `dray init` writes', () => {
  test('can be locked as it is', async () => {
    const { entries, groups } = await read(MANIFEST_TEMPLATE);
    expect(entries.map(({ value }) => value)).toEqual(['docker.io/library/busybox:1.37.0']);
    expect(groups.map(({ name, required }) => [name, required])).toEqual([
      ['core', true],
      ['extras', false],
    ]);
  });

  test('and with every example uncommented', async () => {
    const { entries } = await read(uncommented(MANIFEST_TEMPLATE));
    expect(entries.map(({ kind, origin }) => `${kind} ${origin}`)).toEqual([
      'images ref',
      'images ref',
      'images path',
      'images ref',
      'charts ref',
      'charts path',
      'wheels path',
      'wheels requirements',
      'models path',
      'files path',
      'files url',
    ]);
    for (const { kind, origin } of entries)
      expect(SOURCES.some((source) => source.kind === kind && source.origin === origin)).toBe(true);
  });

  test('in an enclave is a site file, also with every example uncommented', () => {
    expect(parseSite(SITE_TEMPLATE, 'site.yaml').targets.map(({ type }) => type)).toEqual([
      'registry',
      'model-cache',
      'directory',
    ]);
    const all = parseSite(uncommented(SITE_TEMPLATE), '/etc/dray/site.yaml');
    expect(all.targets.map(({ type }) => type)).toEqual(['registry', 'model-cache', 'directory', 's3', 'oci-layout']);
    expect(all).toMatchObject({
      hooks: { scan: '/usr/local/bin/scan-volume', loaded: '/usr/local/bin/after-load' },
      trust: { require: { models: 2 }, revoked: ['/etc/dray/old.pub'] },
    });
  });
});
