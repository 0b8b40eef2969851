import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { SizeShape } from '../../oci/shapes.ts';
import { jsonMembers } from './json-members.ts';

/** A file of a model, wherever it lies. Sizes and places in bytes. */
export interface ModelFile {
  readonly title: string;
  readonly size: number;
  /** The bytes from `start` to `end`, which is exclusive and never behind the file's end. */
  readonly read: (start: number, end: number) => Promise<Uint8Array>;
}

/** As the reference has it (huggingface/safetensors, tensor.rs, MAX_HEADER_SIZE). */
const HEADER_LIMIT = 100_000_000;
/** One look gets the length, and of most files the whole header. */
const FIRST_LOOK = 64 * 1024;
/** The length of the header, a little-endian number of 64 bits. */
const LENGTH = 8;
/** Characters of one tensor's line, and of the free metadata, which training tools fill with what they were told. */
const MEMBER_LIMIT = 16 * 1024 * 1024;
const MOST_DTYPES = 32;

/** Bits of one element. Others may be added to the format; what has another name is counted as its shape says. */
const BITS: Readonly<Record<string, number>> = {
  ...{ F4: 4, F6_E2M3: 6, F6_E3M2: 6 },
  ...{ BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, I64: 64, U64: 64, F64: 64, C64: 64 },
};

const Tensor = z.object({
  dtype: z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,23}$/),
  shape: z.array(SizeShape),
  data_offsets: z.tuple([SizeShape, SizeShape]),
});

/**
 * How many elements the tensors of a safetensors file have, by dtype, from its header alone
 * (https://huggingface.co/docs/safetensors, "Format"; validated like the reference does: tensors fill the file without gaps).
 * @throws `upstream-invalid`, naming the file, where the header cannot be right, or the file is shorter or longer than it says
 */
export async function elementsByDtype(file: ModelFile): Promise<ReadonlyMap<string, number>> {
  const { text, data } = await readHeader(file);
  const counts = new Map<string, number>();
  const spans: (readonly [start: number, end: number])[] = [];
  for (const [name, value] of membersOf(file, text)) {
    if (name === '__metadata__') continue;
    const { dtype, elements, span } = readTensor(file, name, value);
    spans.push(span);
    counts.set(dtype, (counts.get(dtype) ?? 0) + elements);
    if (counts.size > MOST_DTYPES) throw invalid(file, `its header has more than ${MOST_DTYPES} dtypes`);
  }
  checkSpans(file, spans, data);
  return counts;
}

/** The header's text, and how many bytes stand behind it. Never more is read than the file has. */
async function readHeader(file: ModelFile): Promise<{ readonly text: string; readonly data: number }> {
  const first = await readExactly(file, 0, Math.min(file.size, FIRST_LOOK));
  if (first.length < LENGTH) throw invalid(file, `expected at least ${LENGTH} bytes, found ${first.length}`);
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > HEADER_LIMIT) throw invalid(file, `expected a header of at most ${HEADER_LIMIT} bytes, found ${length}`);
  const end = LENGTH + Number(length);
  if (end > file.size)
    throw invalid(file, `expected a header that ends at byte ${end}, found ${file.size} bytes in all`);
  const parts = [first.subarray(LENGTH, end)];
  if (end > first.length) parts.push(await readExactly(file, first.length, end));
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
    return { text, data: file.size - end };
  } catch (error) {
    throw invalid(file, 'its header is not UTF-8', error);
  }
}

async function readExactly(file: ModelFile, start: number, end: number): Promise<Uint8Array> {
  const bytes = await file.read(start, end);
  if (bytes.length === end - start) return bytes;
  throw invalid(file, `expected ${end - start} bytes at ${start}, found ${bytes.length}`);
}

function* membersOf(file: ModelFile, text: string): Generator<readonly [string, unknown]> {
  try {
    yield* jsonMembers(text, MEMBER_LIMIT);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalid(file, `its header cannot be read: ${printable(error.message)}`, error);
  }
}

interface ReadTensor {
  readonly dtype: string;
  readonly elements: number;
  readonly span: readonly [start: number, end: number];
}

function readTensor(file: ModelFile, name: string, value: unknown): ReadTensor {
  const tensor = Tensor.safeParse(value);
  const refuse = (said: string): DrayError => invalid(file, `its tensor ${printable(name.slice(0, 80))} ${said}`);
  if (!tensor.success) throw refuse('has no dtype, shape and offsets that can be read');
  const { dtype, shape, data_offsets: span } = tensor.data;
  const elements = shape.reduce((product, length) => product * length, 1);
  const bits = (span[1] - span[0]) * 8;
  const own = BITS[dtype];
  // Below one bit an element there is nothing; that bounds what is added up.
  const fits = Number.isSafeInteger(bits) && (own === undefined ? elements <= bits : elements * own === bits);
  if (!fits) throw refuse(`has ${elements} elements of ${dtype} in ${span[1] - span[0]} bytes`);
  return { dtype, elements, span };
}

/** Tensors stand one behind the other, in any order of the header, and fill the file. */
function checkSpans(file: ModelFile, spans: (readonly [start: number, end: number])[], data: number): void {
  let filled = 0;
  for (const [start, end] of spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (start !== filled) throw invalid(file, `expected a tensor at byte ${filled} of its data, found one at ${start}`);
    filled = end;
  }
  if (filled === data) return;
  const header = file.size - data;
  throw invalid(file, `expected ${header + filled} bytes, as its header says, found ${file.size}`);
}

function invalid({ title }: ModelFile, said: string, cause?: unknown): DrayError {
  return new DrayError('upstream-invalid', `${printable(title)}: ${said}`, {
    hint: 'get the file again; what is no safetensors needs another name, or goes under `files`',
    cause,
  });
}
