import { describe, expect, test } from 'vitest';
import { AboutShape } from '../../src/oci/shapes.ts';
import { aboutModel } from '../../src/sources/models/about.ts';
import type { ModelFile } from '../../src/sources/models/about.ts';
import { jsonMembers } from '../../src/sources/models/json-members.ts';
import { pickledWarning } from '../../src/sources/models/pickled.ts';
import { safetensors, weightsFile } from '../support/safetensors.ts';

/** A file in memory, and every run of it that was read. */
function fileOf(title: string, content: Uint8Array, size = content.length): ModelFile & { readonly runs: number[][] } {
  const runs: number[][] = [];
  const read = (start: number, end: number): Promise<Uint8Array> => {
    runs.push([start, end]);
    return Promise.resolve(content.subarray(start, end));
  };
  return { title, size, runs, read };
}

const aboutOf = (...files: readonly ModelFile[]): ReturnType<typeof aboutModel> => aboutModel(files, {});

/** A tensor of a header; `data_offsets` in bytes. */
const tensor = (dtype: string, shape: readonly number[], start: number, end: number): object => ({
  dtype,
  shape,
  data_offsets: [start, end],
});

describe('what is told of a model', () => {
  test('elements by dtype, over all shards, sorted', async () => {
    const one = safetensors({ b: tensor('F32', [2], 8, 16), a: tensor('BF16', [2, 2], 0, 8) }, Buffer.alloc(16));
    const other = safetensors(
      { __metadata__: { format: 'pt' }, c: tensor('BF16', [], 0, 2), none: tensor('I64', [0, 5], 2, 2) },
      Buffer.alloc(2),
    );
    const about = await aboutOf(fileOf('2.safetensors', one), fileOf('1.safetensors', other));
    expect(about).toEqual({ formats: ['safetensors'], parameters: { BF16: 5, F32: 2, I64: 0 } });
    expect(Object.keys(about.parameters!)).toEqual(['BF16', 'F32', 'I64']);
    expect(AboutShape.parse(about)).toEqual(about);
  });

  test('dtypes of less than a byte, and ones that are not known yet', async () => {
    const header = { a: tensor('F4', [4], 0, 2), b: tensor('F6_E2M3', [4], 2, 5), c: tensor('X_1', [3], 5, 7) };
    const about = await aboutOf(fileOf('m.safetensors', safetensors(header, Buffer.alloc(7))));
    expect(about.parameters).toEqual({ F4: 4, F6_E2M3: 4, X_1: 3 });
  });

  test('an empty file of no tensor', async () => {
    expect(await aboutOf(fileOf('m.safetensors', safetensors(' {} ')))).toEqual({ formats: ['safetensors'] });
  });

  test('what upstream states, first', async () => {
    const stated = { revision: 'main', commit: 'a'.repeat(40), licence: 'apache-2.0' };
    expect(await aboutModel([fileOf('README.md', Buffer.from('#'))], stated)).toEqual(stated);
  });

  test('formats by the names of the files, whatever their case', async () => {
    const names = ['a.GGUF', 'b.onnx', 'c/d.tflite', 'e.nemo', 'f.engine', 'g.plan', 'h.hdf5', 'i.json', 'onnx'];
    expect((await aboutOf(...names.map((name) => fileOf(name, Buffer.alloc(0))))).formats).toEqual([
      ...['gguf', 'hdf5', 'nemo', 'onnx', 'tensorrt', 'tflite'],
    ]);
  });

  test('pickled files: all are counted, twenty named, in order', async () => {
    const names = Array.from({ length: 25 }, (_, at) => `s${String(24 - at).padStart(2, '0')}.bin`);
    const { pickled, formats } = await aboutOf(...names.map((name) => fileOf(name, Buffer.alloc(0))));
    expect(formats).toEqual(['pickle']);
    expect(pickled).toEqual({ count: 25, files: names.toReversed().slice(0, 20) });
    expect(pickledWarning('m\u001b', { pickled: pickled! })).toBe(
      'm\\u001b: 25 pickled files (s00.bin, s01.bin, s02.bin, and 22 more), which can run code when they are loaded',
    );
    expect(pickledWarning('m', {})).toBeUndefined();
  });

  test.each(['.bin', '.pt', '.pth', '.ckpt', '.pkl', '.pickle', '.joblib'])('%s is pickled', async (type) => {
    expect((await aboutOf(fileOf(`a${type}`, Buffer.alloc(0)))).pickled?.count).toBe(1);
  });
});

describe('no payload is read', () => {
  test('a short header comes with the first look', async () => {
    const file = fileOf('m.safetensors', weightsFile(1_000_000, 'm'));
    await aboutOf(file, fileOf('m.gguf', Buffer.alloc(9)));
    expect(file.runs).toEqual([[0, 65_536]]);
  });

  test('a long one with a second, which takes up where the first ended', async () => {
    const text = JSON.stringify({ a: tensor('U8', [70_000], 0, 70_000) }).padEnd(100_000);
    const file = fileOf('m.safetensors', safetensors(text, Buffer.alloc(70_000)));
    expect((await aboutOf(file)).parameters).toEqual({ U8: 70_000 });
    expect(file.runs).toEqual([
      [0, 65_536],
      [65_536, 100_008],
    ]);
  });

  test('nothing of a file of another format', async () => {
    const file = fileOf('m.bin', Buffer.alloc(9));
    await aboutOf(file);
    expect(file.runs).toEqual([]);
  });
});

describe('refuses', () => {
  const length = (bytes: bigint): Buffer => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(bytes);
    return buffer;
  };
  const U8 = tensor('U8', [4], 0, 4);
  const four = Buffer.alloc(4);

  test.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'expected at least 8 bytes, found 0'],
    [
      'a header of 2^63 bytes',
      length(2n ** 63n),
      'expected a header of at most 100000000 bytes, found 9223372036854775808',
    ],
    ['a header of more than the limit', length(100_000_001n), 'expected a header of at most 100000000 bytes'],
    [
      'a header longer than the file',
      length(99_999_999n),
      'expected a header that ends at byte 100000007, found 8 bytes in all',
    ],
    ['a header that is not UTF-8', Buffer.concat([length(2n), Buffer.from([0xff, 0xff])]), 'its header is not UTF-8'],
    ['a header that is not JSON', safetensors('{"a":'), 'its header cannot be read: '],
    ['a list', safetensors([]), 'its header cannot be read: expected {'],
    ['two objects', safetensors('{}{}'), 'goes on behind its end'],
    [
      'a comma too many',
      safetensors(`{"a":${JSON.stringify(U8)},}`, four),
      'its header cannot be read: expected a string',
    ],
    ['no comma', safetensors(`{"a":${JSON.stringify(U8)} "b":1}`, four), 'its header cannot be read'],
    ['a string without an end', safetensors('{"a\\"'), 'its header cannot be read: expected a string'],
    ['a value without an end', safetensors('{"a":{"b":"}"'), 'its header cannot be read: ends inside a value'],
    ['a tensor twice', safetensors(`{"a":${JSON.stringify(U8)},"a":${JSON.stringify(U8)}}`, four), 'names a twice'],
    [
      'a tensor twice, spelled in two ways',
      safetensors(`{"a":${JSON.stringify(U8)},"\\u0061":${JSON.stringify(U8)}}`, four),
      'names a twice',
    ],
    [
      'a key of a tensor twice',
      safetensors('{"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}}', four),
      'names a key twice',
    ],
    [
      'a tensor that is a number',
      safetensors({ a: 1 }),
      'its tensor a has no dtype, shape and offsets that can be read',
    ],
    ['a dtype of control characters', safetensors({ a: tensor('\u001b[31m', [4], 0, 4) }, four), 'has no dtype'],
    ['a dtype of 25 characters', safetensors({ a: tensor('A'.repeat(25), [4], 0, 4) }, four), 'has no dtype'],
    ['a negative length', safetensors({ a: tensor('U8', [-4], 0, 4) }, four), 'has no dtype, shape'],
    ['a length of no whole number', safetensors({ a: tensor('U8', [0.5], 0, 4) }, four), 'has no dtype, shape'],
    [
      'a shape that overflows',
      safetensors({ a: tensor('U8', [2 ** 52, 2 ** 52, 2 ** 52], 0, 4) }, four),
      'elements of U8 in 4 bytes',
    ],
    [
      'a shape that overflows to no number',
      safetensors({ a: tensor('U8', [...Array<number>(30).fill(2 ** 52), 0], 0, 4) }, four),
      'elements of U8 in 4 bytes',
    ],
    [
      'more elements than bytes',
      safetensors({ a: tensor('F32', [4], 0, 4) }, four),
      'its tensor a has 4 elements of F32 in 4 bytes',
    ],
    [
      'more elements of an unknown dtype than bits',
      safetensors({ a: tensor('ZZ', [33], 0, 4) }, four),
      'has 33 elements of ZZ in 4 bytes',
    ],
    ['an end before its start', safetensors({ a: tensor('U8', [4], 4, 0) }, four), 'elements of U8 in -4 bytes'],
    [
      'tensors that overlap',
      safetensors({ a: U8, b: tensor('U8', [2], 2, 4) }, four),
      'expected a tensor at byte 4 of its data, found one at 2',
    ],
    [
      'a gap',
      safetensors({ a: tensor('U8', [2], 2, 4) }, four),
      'expected a tensor at byte 0 of its data, found one at 2',
    ],
    ['a file that is cut', safetensors({ a: U8 }, Buffer.alloc(3)), 'bytes, as its header says, found'],
    ['a file that goes on', safetensors({ a: U8 }, Buffer.alloc(5)), 'bytes, as its header says, found'],
    [
      '33 dtypes',
      safetensors(Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`t${at}`, tensor(`D${at}`, [0], 0, 0)]))),
      'more than 32 dtypes',
    ],
  ])('%s', async (_, content, said) => {
    await expect(aboutOf(fileOf('x/m\u202e.safetensors', content))).rejects.toMatchObject({
      code: 'upstream-invalid',
      message: expect.stringMatching(/^x\/m\\u202e\.safetensors: /) as string,
      hint: expect.stringContaining('get the file again') as string,
    });
    await expect(aboutOf(fileOf('m.safetensors', content))).rejects.toThrow(said);
  });

  test('a file that ends before its size', async () => {
    await expect(aboutOf(fileOf('m.safetensors', Buffer.alloc(5), 50))).rejects.toThrow(
      'expected 50 bytes at 0, found 5',
    );
  });

  test('a header larger than the file without making room for it', async () => {
    const file = fileOf('m.safetensors', Buffer.concat([length(90_000_000n), Buffer.alloc(100)]));
    await expect(aboutOf(file)).rejects.toMatchObject({ code: 'upstream-invalid' });
    expect(file.runs).toEqual([[0, 108]]);
  });
});

describe('the members of a JSON object', () => {
  const members = (text: string, limit = 100): readonly (readonly [string, unknown])[] => [...jsonMembers(text, limit)];

  test.each(['{}', ' {"a" : 1 , "b\\"":[{"c":"}"}, "\\\\"],"__proto__":{}} \n', '{"a":"\\\\\\"","":null}'])(
    'are those of JSON.parse: %s',
    (text) => {
      expect(members(text)).toEqual(Object.entries(JSON.parse(text) as object));
    },
  );

  test('one that is too long is not built', () => {
    expect(() => members(`{"a":[${'[],'.repeat(50)}0]}`)).toThrow('a member of more than 100 characters');
  });

  test('nesting without end is an answer, not a crash', () => {
    expect(() => members(`{"a":${'['.repeat(200_000)}`, 1e6)).toThrow(SyntaxError);
    expect(() => members(`{"a":${'['.repeat(200_000)}}`, 1e6)).toThrow(SyntaxError);
  });
});
