import { statSync } from 'node:fs';
import { posix } from 'node:path';
import { printable } from '../../io/safe-path.ts';
import { readBlocks } from '../../io/disk/ring.ts';
import { walk } from '../../io/disk/walk.ts';
import type { FoundFile } from '../../io/disk/walk.ts';
import { document } from '../../oci/artifact.ts';
import {
  MODEL_CODE,
  MODEL_CONFIG,
  MODEL_DOC,
  MODEL_FILEPATH,
  MODEL_MANIFEST,
  MODEL_WEIGHT,
  MODEL_WEIGHT_CONFIG,
} from '../../oci/media-types.ts';
import { fetchFiles, pinFiles } from '../named-files.ts';
import type { Shape } from '../named-files.ts';
import { entryInvalid, forEntry, localPath } from '../pinned.ts';
import { lastName, placed } from '../placement.ts';
import type { Source } from '../source.ts';
import { aboutModel } from './about.ts';
import type { ModelFile } from './about.ts';
import { refusePickled } from './pickled.ts';

/**
 * A ModelPack artifact (modelpack/model-spec, docs/spec.md and docs/config.md): one raw layer per file, so that a layer's
 * digest is the file's. The configuration says nothing that is not known for certain.
 */
export const MODEL: Shape = {
  artifactType: MODEL_MANIFEST,
  config: (name, files) => {
    const diffIds = files.map(({ descriptor }) => descriptor.digest);
    return document(MODEL_CONFIG, { descriptor: { name }, config: {}, modelfs: { type: 'layers', diffIds } });
  },
  annotations: (title) => ({ [MODEL_FILEPATH]: title }),
};

/** `models` by `path`: a directory, under its last name or `as`. */
export const modelPathSource: Source = {
  kind: 'models',
  origin: 'path',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const subject = `path ${printable(localPath(env.directory, entry.value))}`;
      if (statSync(entry.value, { throwIfNoEntry: false })?.isDirectory() !== true)
        throw entryInvalid(entry, `${subject}: expected a directory with the model's files, found none`);
      const found = await walk(entry.value, { signal: env.ctx.signal });
      if (found.length === 0) throw entryInvalid(entry, `${subject}: expected files, found none`);
      const name = placed(entry.as, lastName(entry, env.directory));
      const files = found.map((file) => ({ ...file, mediaType: modelLayer(file.title) }));
      // Before the files are hashed: a truncated one of 100 GB is refused at once.
      const about = await aboutModel(found.map(localFile), {});
      refusePickled(entry, about);
      return [await pinFiles(entry, { name, files, shape: MODEL, about }, into, env)];
    }),
  fetch: (locked, into, env) => fetchFiles(locked, MODEL, into, env),
};

function localFile({ path, title, size }: FoundFile): ModelFile {
  return {
    title,
    size,
    read: async (start, end) => {
      const blocks: Buffer[] = [];
      for await (const block of readBlocks(path, { start, end })) blocks.push(Buffer.from(block));
      return Buffer.concat(blocks);
    },
  };
}

const DOCUMENTATION =
  /^(?:readme|licen[cs]e|notice|copying|copyright|changelog|model_?card|use_policy|usage_policy)(?:[._-].*)?$/i;
const DOCUMENTATION_TYPE = new Set(['.md', '.rst', '.pdf', '.png', '.jpg', '.jpeg', '.svg', '.gif']);
const CODE_TYPE = new Set(['.py', '.sh', '.ipynb', '.c', '.cc', '.cpp', '.cu', '.h', '.js', '.ts']);
const SETTINGS_TYPE = new Set([
  '.json',
  '.jsonl',
  '.txt',
  '.yaml',
  '.yml',
  '.toml',
  '.ini',
  '.cfg',
  '.conf',
  '.pbtxt',
  '.xml',
  '.csv',
  '.tsv',
  '.tiktoken',
  '.jinja',
  '.model',
  '.vocab',
  '.blake3',
]);

/** What a file is to a model, by its name: weights unless the name says otherwise. */
export function modelLayer(title: string): string {
  const name = posix.basename(title);
  const type = posix.extname(name).toLowerCase();
  if (DOCUMENTATION.test(name) || DOCUMENTATION_TYPE.has(type)) return MODEL_DOC;
  if (CODE_TYPE.has(type)) return MODEL_CODE;
  if (SETTINGS_TYPE.has(type) || /^(?:tokenizer|vocab|merges)/i.test(name) || name.startsWith('.'))
    return MODEL_WEIGHT_CONFIG;
  return MODEL_WEIGHT;
}
