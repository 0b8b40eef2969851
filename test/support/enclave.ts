import { createHash } from 'node:crypto';
import { cpSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { dray, workDirectory } from '../cli/harness.ts';
import type { Envelope, Ran, Setting } from '../cli/harness.ts';
import { noise } from './bundles.ts';
import { weightsFile } from './safetensors.ts';

/** A connected side and an enclave in one scratch directory, driven by words as a person drives them. */
export interface Workplace {
  readonly path: (...parts: readonly string[]) => string;
  /** Writes files, with the directories above them. */
  readonly write: (files: Readonly<Record<string, string | Uint8Array>>) => void;
  readonly copy: (from: string, to: string) => string;
  readonly run: (argv: readonly string[], setting?: Setting) => Promise<Ran>;
  /** The document of a run with `--json` that must end with 0. */
  readonly succeed: (argv: readonly string[], setting?: Setting) => Promise<Envelope>;
  /** What a run with `--json` says that must end with this status and code; checked as every error is. */
  readonly fail: (argv: readonly string[], status: number, code: string, setting?: Setting) => Promise<Failed>;
}

export interface Failed {
  readonly message: string;
  readonly hint: string;
  readonly where: Readonly<Record<string, unknown>>;
  readonly document: Envelope;
}

export function workplace(): Workplace {
  const home = workDirectory();
  const path = (...parts: readonly string[]): string => join(home, ...parts);
  const run = (argv: readonly string[], setting: Setting = {}): Promise<Ran> => dray(argv, { cwd: home, ...setting });
  return {
    path,
    run,
    write: (files) => {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(path(name)), { recursive: true });
        writeFileSync(path(name), content);
      }
    },
    copy: (from, to) => {
      cpSync(path(from), path(to), { recursive: true });
      return to;
    },
    succeed: async (argv, setting) => {
      const { status, err, json } = await run([...argv, '--json'], setting);
      if (status !== 0) throw new Error(`dray ${argv.join(' ')}: ended with ${status}\n${err}`);
      return json();
    },
    fail: async (argv, status, code, setting) => {
      const ran = await run([...argv, '--json'], setting);
      return { ...failureOf(ran, argv, { status, code }), document: ran.json() };
    },
  };
}

/** Every error: one document, the same said to people with a hint, and nothing in it that a terminal would obey. */
function failureOf(
  { status, out, err, json }: Ran,
  argv: readonly string[],
  expected: { readonly status: number; readonly code: string },
): Omit<Failed, 'document'> {
  const { error, dray: version, exit, verb } = json();
  const said = `dray ${argv.join(' ')}: ${status}\n${err}`;
  expect({ status, code: error?.code }, said).toEqual(expected);
  expect({ version, exit, verb }, said).toEqual({ version: 1, exit: status, verb: argv[0] });
  expect(out.trimEnd().split('\n'), said).toHaveLength(1);
  const { message = '', hint = '', where = {} } = error ?? {};
  expect(err, said).toContain(message.slice(0, 40));
  expect(err, said).toMatch(/\nhint: \S/);
  expect(hint.length, said).toBeGreaterThan(5);
  expectSafe(out + err);
  return { message, hint, where };
}

/** No control characters but line feeds. */
export function expectSafe(text: string): void {
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
}

/** Everything below a directory: kind, size and digest by path, links as what they say. Equal snapshots are equal trees. */
export function snapshot(directory: string): Readonly<Record<string, string>> {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found === undefined) return {};
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return [path.slice(directory.length + 1), describe(path)] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function describe(path: string): string {
  const stats = lstatSync(path);
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return `link ${readlinkSync(path)}`;
  if (!stats.isFile()) return 'special';
  return `${stats.size} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
}

export interface Standard {
  readonly name?: string;
  /** Bytes of the model's weights: the blob that is cut where media are small. */
  readonly weights?: number;
}

/**
 * Keys (`release`, `other`), a manifest with a model, a file set that compresses well and a small one, and `site.yaml`
 * with a directory and a model cache. Small, and with everything that a volume can hold: whole blobs, frames, segments.
 */
export async function standardWorkplace({ name = 'cargo', weights = 700_000 }: Standard = {}): Promise<Workplace> {
  const place = workplace();
  place.write({
    'weights/model.safetensors': weightsFile(weights, 'weights'),
    'weights/config.json': '{"layers": 2}\n',
    'data/table.csv': 'a line that is like every other line\n'.repeat(8000),
    'data/below/b.bin': noise(90_000, 'b'),
    'notes/readme.txt': 'to be read first\n',
    'dray.yaml': manifest(name, 'models: {path: weights}\nfiles: [data, notes]\n'),
    'site.yaml': site('targets: [{directory: files}, {modelCache: models}]\n'),
  });
  await place.succeed(['keygen', 'release', '--no-password']);
  await place.succeed(['keygen', 'other', '--type', 'ed25519', '--no-password']);
  return place;
}

export function manifest(name: string, rest: string): string {
  return `apiVersion: drayage/v1\nkind: Manifest\nname: ${name}\n${rest}`;
}

export function site(rest: string, trust = 'keys: [release.pub]'): string {
  return `apiVersion: drayage/v1\nkind: Site\nname: enclave\nstate: state\ntrust: {${trust}}\n${rest}`;
}
