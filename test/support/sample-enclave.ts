import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { formatPiece } from '../../src/bundle/table.ts';
import type { Piece } from '../../src/bundle/table.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { openSigner } from '../../src/signing/signer.ts';
import { dray } from '../cli/harness.ts';
import type { Ran } from '../cli/harness.ts';
import { noise } from './bundles.ts';
import { weightsFile } from './safetensors.ts';

/** A bundle of three media, `sample-1`, packed through the command line into `home/out`, with keys beside it. */
export async function packSample(home: string, options: readonly string[] = []): Promise<void> {
  mkdirSync(join(home, 'data/sub'), { recursive: true });
  mkdirSync(join(home, 'weights'), { recursive: true });
  writeFileSync(join(home, 'data/large.bin'), noise(1_400_000, 'large'));
  writeFileSync(join(home, 'data/sub/words.txt'), 'the same words again and again\n'.repeat(20_000));
  writeFileSync(join(home, 'weights/model.safetensors'), weightsFile(150_000, 'model'));
  writeFileSync(
    join(home, 'dray.yaml'),
    'apiVersion: drayage/v1\nkind: Manifest\nname: sample\nmodels: [{path: weights, as: example/m}]\nfiles: [data]\n',
  );
  for (const words of [['keygen', 'release', '--no-password'], ['keygen', 'other', '--no-password'], ['lock']])
    await ran(home, words);
  await ran(home, [
    'pack',
    'out',
    '--media',
    '800KB',
    '--key',
    'release.key',
    '--created',
    '2026-11-20T08:30:00Z',
    ...options,
  ]);
}

async function ran(home: string, words: readonly string[]): Promise<void> {
  const { status, err } = await dray(words, { cwd: home });
  if (status !== 0) throw new Error(`dray ${words.join(' ')}: ${err}`);
}

/** A copy of the media that a test may damage: its directory, and the directories of its media. */
export function copyOfMedia(home: string, name: string): { readonly all: string; readonly media: readonly string[] } {
  const all = join(home, name);
  cpSync(join(home, 'out'), all, { recursive: true });
  return {
    all,
    media: readdirSync(all)
      .sort()
      .map((medium) => join(all, medium)),
  };
}

/** Loads into a directory and a model cache below `home/NAME`. */
export function load(home: string, name: string, media: readonly string[], ...more: readonly string[]): Promise<Ran> {
  const targets = ['--to', `directory:${name}/files`, '--to', `model-cache:${name}/models`];
  return dray(['load', ...media, '--key', 'release.pub', '--state', `${name}/state`, ...targets, ...more], {
    cwd: home,
  });
}

export function verify(home: string, media: readonly string[], ...more: readonly string[]): Promise<Ran> {
  return dray(['verify', ...media, '--key', 'release.pub', ...more], { cwd: home });
}

/** States bundle.json anew on every medium, signed with the release key: what a faulty or hostile packer could have made. */
export async function restate(home: string, media: readonly string[], change: (text: string) => string): Promise<void> {
  const text = change(readFileSync(join(media[0]!, 'bundle.json'), 'utf8'));
  const file = join(home, 'release.key');
  const signer = openSigner(readFileSync(file, 'utf8'), { file });
  const signature = await signer.sign({ digest: digestOf(text), name: 'sample', sequence: 1 });
  for (const directory of media) {
    writeFileSync(join(directory, 'bundle.json'), text);
    writeFileSync(join(directory, 'bundle.json.1.sigstore.json'), signature);
  }
}

/** The same for the table of a volume, with its digest in bundle.json. */
export async function restateTable(
  home: string,
  media: readonly string[],
  volume: number,
  change: (lines: Record<string, unknown>[]) => unknown,
): Promise<void> {
  const name = `sample-1.v000${volume}.pieces`;
  const lines = readFileSync(join(media[0]!, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  change(lines);
  const table = lines.map((line) => `${formatPiece(line as unknown as Piece)}\n`).join('');
  for (const directory of media) writeFileSync(join(directory, name), table);
  await restate(home, media, (text) => {
    const index = JSON.parse(text) as BundleIndex;
    const entry = index.volumes[volume - 1]!;
    Object.assign(entry.pieces, { size: Buffer.byteLength(table), digest: digestOf(table), lines: lines.length });
    return JSON.stringify(index);
  });
}
