import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parseDocument, successors } from '../../src/oci/image-manifest.ts';
import { isDocument } from '../../src/oci/media-types.ts';
import type { Expected } from './make-golden.ts';

/** A site that trusts the keys of a golden bundle, and where its targets are. */
export interface Enclave {
  readonly site: string;
  readonly files: string;
  readonly models: string;
  readonly layout: string;
}

/** Writes the site file of a new enclave into a directory that is not there yet. */
export function enclaveAt(home: string, keys: readonly string[]): Enclave {
  mkdirSync(home);
  const site = join(home, 'site.yaml');
  const trusted = keys.map((key) => JSON.stringify(key)).join(', ');
  writeFileSync(
    site,
    `apiVersion: drayage/v1\nkind: Site\nname: enclave-7\ntrust: {keys: [${trusted}], threshold: ${keys.length}}\nstate: state\n` +
      'targets: [{directory: files}, {modelCache: models}, {ociLayout: layout}]\n',
  );
  return { site, files: join(home, 'files'), models: join(home, 'models'), layout: join(home, 'layout') };
}

/** Just the files that went in, and an OCI layout in which every digest leads to its content and nothing lies beside. */
export function expectDelivered({ files, models, layout }: Enclave, expected: Expected): void {
  const delivered = [
    ...describeFiles(files, (path) => !/^[^/]+\/simple\//.test(path)),
    ...describeFiles(models, () => true),
  ];
  expect(delivered.sort(byPath)).toEqual(
    expected.files.map(({ path, sha256, executable }) => ({ path, sha256, executable })).sort(byPath),
  );
  const blobs = new Set(readdirSync(join(layout, 'blobs/sha256')));
  for (const hex of blobs) expect(sha256(readFileSync(join(layout, 'blobs/sha256', hex)))).toBe(`sha256:${hex}`);
  expect(blobs.size).toBe(expected.blobs);
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string }[];
  };
  const roots = manifests.map(({ digest }) => digest);
  for (const { delivers } of expected.artifacts) expect(roots).toContain(delivers);
  expect(reachable(layout, manifests as Named[])).toEqual(blobs);
}

interface Named {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
}

function reachable(layout: string, roots: readonly Named[]): Set<string> {
  const seen = new Set<string>();
  const visit = ({ digest, mediaType, size }: Named): void => {
    const bytes = readFileSync(join(layout, 'blobs/sha256', digest.slice(7)));
    expect(bytes.length).toBe(size);
    if (seen.has(digest.slice(7))) return;
    seen.add(digest.slice(7));
    if (isDocument(mediaType)) successors(parseDocument(bytes, mediaType, digest)).forEach(visit);
  };
  roots.forEach(visit);
  return seen;
}

interface DeliveredFile {
  readonly path: string;
  readonly sha256: string;
  readonly executable: boolean;
}

function describeFiles(directory: string, wanted: (path: string) => boolean): DeliveredFile[] {
  return filesBelow(directory)
    .filter(wanted)
    .map((path) => ({
      path,
      sha256: sha256(readFileSync(join(directory, path))),
      executable: (statSync(join(directory, path)).mode & 0o111) !== 0,
    }));
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : 1;
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Paths of all files below a directory, with `/`; none where it is not there. */
export function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(directory.length + 1)
        .replaceAll('\\', '/'),
    );
}
