import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { RECIPES } from './golden-recipes.ts';
import type { KeyName, Recipe } from './golden-recipes.ts';

/**
 * Made the bundles in test/golden/, once, from the recipes, through the command line, and what test/golden.test.ts
 * expects of them. Kept to show how; it never writes to a directory with a golden in it, for those are read for ever.
 * The weights of the recipes are noise: since `dray lock` reads the headers of safetensors, it takes them no more.
 *
 *     npm run build && node test/support/make-golden.ts [DIRECTORY]
 *
 * in the repository's root; Node 22.18 or later runs TypeScript as it is.
 */

const CREATED = '2026-11-20T08:30:00Z';
const SEQUENCE = 42;

/** What stands in `expected.json`. */
export interface Expected {
  readonly digest: Digest;
  readonly name: string;
  readonly sequence: number;
  readonly created: string;
  readonly format: 'archive' | 'directory';
  /** Files below test/golden/keys; all of them must have signed. */
  readonly keys: readonly string[];
  readonly media: readonly string[];
  readonly volumes: number;
  readonly segments: number;
  readonly frames: number;
  readonly encoder: string | null;
  /** Distinct blobs of all artifacts. */
  readonly blobs: number;
  readonly artifacts: readonly ExpectedArtifact[];
  /** Files as they lie below a directory (wheels, files) or a model cache (models). */
  readonly files: readonly {
    readonly kind: string;
    readonly path: string;
    readonly sha256: string;
    readonly executable: boolean;
  }[];
  /** What stock tools read from one volume: a root whose whole graph lies on it, plain. */
  readonly whole: readonly {
    readonly volume: number;
    readonly name: string;
    readonly digest: Digest;
    readonly mediaType: string;
  }[];
}

export interface ExpectedArtifact {
  readonly kind: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly delivers: Digest;
  readonly size: number;
}

/** As much of bundle.json and tables as is looked at here: read without the code that is to be tested with it. */
interface Index {
  readonly name: string;
  readonly sequence: number;
  readonly created: string;
  readonly format: 'archive' | 'directory';
  readonly artifacts: readonly ExpectedArtifact[];
  readonly volumes: readonly {
    readonly number: number;
    readonly medium: number;
    readonly archive: { readonly file: string } | null;
    readonly pieces: { readonly file: string };
  }[];
  readonly totals: { readonly blobs: number };
}
interface Line {
  readonly entry?: string;
  readonly offset: number;
  readonly size: number;
  readonly start?: number;
  readonly encoding?: string;
  readonly encoder?: string;
}
interface Layout {
  readonly manifests: readonly {
    readonly digest: Digest;
    readonly mediaType: string;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) makeGoldens(resolve(process.argv[2] ?? 'test/golden'));

function makeGoldens(golden: string): void {
  const taken = ['keys', ...RECIPES.map(({ name }) => name)].find((name) => existsSync(join(golden, name)));
  if (taken !== undefined) throw new Error(`${join(golden, taken)}: is there; a golden bundle is never made again`);
  const work = mkdtempSync(join(tmpdir(), 'dray-'));
  try {
    for (const type of ['p256', 'ed25519'] satisfies KeyName[])
      dray(work, ['keygen', join(work, keyFile(type)), '--type', type, '--no-password']);
    const made = RECIPES.map((recipe) => [recipe.name, ...makeGolden(recipe, work)] as const);
    mkdirSync(join(golden, 'keys'), { recursive: true });
    for (const type of ['p256', 'ed25519'] satisfies KeyName[])
      cpSync(join(work, `${keyFile(type)}.pub`), join(golden, 'keys', `${keyFile(type)}.pub`));
    for (const [name, out, expected] of made) {
      cpSync(out, join(golden, name, 'media'), { recursive: true });
      writeFileSync(join(golden, name, 'expected.json'), `${JSON.stringify(expected, undefined, 2)}\n`);
    }
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Key pairs are made for this run and their private halves forgotten at its end. */
function keyFile(type: KeyName): string {
  return `only-for-tests-${type}`;
}

function makeGolden(recipe: Recipe, work: string): readonly [string, Expected] {
  const home = join(work, recipe.name);
  for (const [path, content] of recipe.inputs) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), content);
  }
  for (const path of recipe.executables ?? []) chmodSync(join(home, path), 0o755);
  writeFileSync(
    join(home, 'dray.yaml'),
    `apiVersion: drayage/v1\nkind: Manifest\nname: ${recipe.name}\n${recipe.manifest}`,
  );
  const keys = recipe.keys.flatMap((type) => ['--key', join(work, `${keyFile(type)}.key`)]);
  const pack = (out: string, sequence: number): void =>
    dray(home, ['pack', out, ...keys, '--created', CREATED, '--sequence', String(sequence), ...recipe.options]);
  if (recipe.after === true) pack('before', SEQUENCE - 1);
  pack('out', SEQUENCE);
  return [join(home, 'out'), expectedOf(recipe, home)];
}

function dray(cwd: string, arguments_: readonly string[]): void {
  mkdirSync(cwd, { recursive: true });
  const env = { PATH: process.env['PATH'] ?? '', HOME: cwd };
  execFileSync(process.execPath, [resolve('dist/cli/main.js'), ...arguments_], { cwd, env, stdio: 'inherit' });
}

function expectedOf(recipe: Recipe, home: string): Expected {
  const out = join(home, 'out');
  const media = readdirSync(out).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const bytes = readFileSync(join(out, media[0]!, 'bundle.json'));
  const index = JSON.parse(bytes.toString()) as Index;
  const tables = index.volumes.map(({ pieces }) => linesOf(join(out, media[0]!, pieces.file)));
  const lines = tables.flat();
  for (const [name, digest] of Object.entries(recipe.roots ?? {}))
    if (index.artifacts.find((artifact) => artifact.name === name)?.delivers !== digest)
      throw new Error(`${recipe.name}: expected ${name} to deliver ${digest}`);
  const { name, sequence, created, format } = index;
  return {
    digest: digestOf(bytes),
    ...{ name, sequence, created, format },
    keys: recipe.keys.map((type) => `${keyFile(type)}.pub`),
    media,
    volumes: index.volumes.length,
    segments: lines.filter(({ start }) => start !== undefined).length,
    frames: lines.filter(({ encoding }) => encoding !== undefined).length,
    encoder: lines.find(({ encoder }) => encoder !== undefined)?.encoder ?? null,
    blobs: index.totals.blobs,
    artifacts: index.artifacts.map(({ kind, name, groups, delivers, size }) => ({
      kind,
      name,
      groups,
      delivers,
      size,
    })),
    files: Object.entries(recipe.files ?? {}).map(([path, [kind, input]]) => ({
      ...{ kind, path },
      sha256: digestOf(recipe.inputs.get(input) ?? new Uint8Array()),
      executable: recipe.executables?.includes(input) === true,
    })),
    whole: index.volumes.flatMap((volume, at) => wholeOn(volume, join(out, media[volume.medium - 1]!), tables[at]!)),
  };
}

function wholeOn(
  { number, archive }: Index['volumes'][number],
  medium: string,
  table: readonly Line[],
): Expected['whole'] {
  const { offset, size } = table.find(({ entry }) => entry === 'index.json')!;
  const stored = readFileSync(join(medium, archive?.file ?? 'index.json')).subarray(offset, offset + size);
  const { manifests } = JSON.parse(stored.toString()) as Layout;
  return manifests.map(({ digest, mediaType, annotations }) => ({
    volume: number,
    name: annotations['org.opencontainers.image.ref.name'] ?? '',
    digest,
    mediaType,
  }));
}

function linesOf(path: string): readonly Line[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}
