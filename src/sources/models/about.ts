import { posix } from 'node:path';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { About } from '../../oci/shapes.ts';
import { elementsByDtype } from './safetensors.ts';
import type { ModelFile } from './safetensors.ts';

export type { ModelFile };

const PICKLE = 'pickle';
/** By the end of a file's name, in lower case. Pickled: what `torch.save`, `pickle` and `joblib` write; `.bin` is said to be. */
const FORMATS: Readonly<Record<string, string>> = {
  '.safetensors': 'safetensors',
  '.gguf': 'gguf',
  '.onnx': 'onnx',
  '.tflite': 'tflite',
  '.nemo': 'nemo',
  '.engine': 'tensorrt',
  '.plan': 'tensorrt',
  '.h5': 'hdf5',
  '.hdf5': 'hdf5',
  '.keras': 'keras',
  '.msgpack': 'msgpack',
  '.mlmodel': 'coreml',
  '.etlt': 'tao',
  '.tlt': 'tao',
  '.bin': PICKLE,
  '.pt': PICKLE,
  '.pth': PICKLE,
  '.ckpt': PICKLE,
  '.pkl': PICKLE,
  '.pickle': PICKLE,
  '.joblib': PICKLE,
};
/** How many pickled files are named; all are counted. */
const NAMED = 20;

/**
 * What people ask of a model before they approve its transfer. Formats and pickled files are told by the files' names,
 * parameters by the headers of safetensors, read one at a time; no payload is read. The same files always give the same.
 * @param stated what upstream says of it
 * @throws `upstream-invalid`, naming the file, for a safetensors file that cannot be right, a truncated one before all
 */
export async function aboutModel(
  files: readonly ModelFile[],
  { revision, commit, licence }: Pick<About, 'revision' | 'commit' | 'licence'>,
): Promise<About> {
  const sorted = [...files].sort((a, b) => (a.title < b.title ? -1 : 1));
  const formats = sorted.flatMap(({ title }) => formatOf(title) ?? []);
  const parameters = await parametersOf(sorted.filter(({ title }) => formatOf(title) === 'safetensors'));
  const pickled = sorted.filter(({ title }) => formatOf(title) === PICKLE).map(({ title }) => title);
  return {
    ...(revision === undefined ? {} : { revision }),
    ...(commit === undefined ? {} : { commit }),
    ...(licence === undefined ? {} : { licence }),
    ...(formats.length === 0 ? {} : { formats: [...new Set(formats)].sort() }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(pickled.length === 0 ? {} : { pickled: { count: pickled.length, files: pickled.slice(0, NAMED) } }),
  };
}

function formatOf(title: string): string | undefined {
  return FORMATS[posix.extname(title).toLowerCase()];
}

async function parametersOf(files: readonly ModelFile[]): Promise<About['parameters']> {
  const total = new Map<string, number>();
  for (const file of files)
    for (const [dtype, elements] of await elementsByDtype(file)) {
      const sum = (total.get(dtype) ?? 0) + elements;
      if (!Number.isSafeInteger(sum))
        throw new DrayError('upstream-invalid', `${printable(file.title)}: has more elements than can be counted`);
      total.set(dtype, sum);
    }
  if (total.size === 0) return undefined;
  return Object.fromEntries([...total].sort(([a], [b]) => (a < b ? -1 : 1)));
}
