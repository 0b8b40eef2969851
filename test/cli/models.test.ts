import { describe, expect, test } from 'vitest';
import type { ArtifactSummary } from '../../src/actions/results.ts';
import { magnitudeOf, modelTable } from '../../src/cli/models.ts';
import { pageOf, widthOf } from '../../src/cli/page.ts';
import { digestOf } from '../../src/oci/digest.ts';

const terminal = (columns: number) => pageOf({ write: () => undefined, isTTY: true, columns }, false);
const pipe = pageOf({ write: () => undefined }, true);
const COMMIT = 'cafe'.repeat(10);

function model(name: string, more: Partial<ArtifactSummary> = {}): ArtifactSummary {
  const digest = digestOf(name);
  return {
    kind: 'models',
    name,
    groups: [],
    digest,
    upstream: digest,
    size: 16_077_790_112,
    from: name,
    parts: [],
    ...more,
  };
}

const LLAMA = model('nvidia/Llama-3.1-Nemotron-Nano-8B-v1', {
  from: 'https://huggingface.example/nvidia/Llama-3.1-Nemotron-Nano-8B-v1',
  about: {
    revision: 'main',
    commit: COMMIT,
    licence: 'nvidia-open-model-license',
    formats: ['pickle', 'safetensors'],
    parameters: { BF16: 8_030_261_248, F32: 12 },
    pickled: { count: 23, files: Array.from({ length: 20 }, (_, at) => `old/pytorch_model-${at}.bin`) },
  },
});

describe('what is shown of models', () => {
  test('in full where nothing limits the width', () => {
    const text = modelTable([model('local/m', { size: 10 }), LLAMA], pipe);
    const lines = text.split('\n');
    expect(lines[0]).toMatch(/^model +formats +parameters +dtypes +size +licence$/);
    expect(lines.slice(1, 3)).toEqual([expect.stringMatching(/^local\/m +10 B {2}not stated$/), '  from  local/m']);
    expect(lines[3]).toMatch(
      /^nvidia\/Llama\S+ {2}pickle, safetensors +8\.03 B {2}BF16, F32 {2}16\.1 GB {2}nvidia-open-model-license$/,
    );
    expect(lines[4]).toBe(`  from  ${LLAMA.from}  revision main  commit ${COMMIT}`);
    expect(lines[5]).toMatch(/^ {2}warning {2}23 pickled files can run code when loaded: old\/pytorch_model-0\.bin, /);
    expect(lines[5]).toMatch(/old\/pytorch_model-19\.bin, and 3 more$/);
  });

  test.each([80, 100, 132])('within %d columns', (columns) => {
    const text = modelTable([model('local/m'), LLAMA], terminal(columns));
    for (const line of text.split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    for (const said of ['8.03 B', '16.1 GB', `commit ${COMMIT.slice(0, 12)}`, 'old/pytorch_model-19.bin,'])
      expect(text).toContain(said);
    expect(text).not.toContain(COMMIT);
  });

  test('nothing of a bundle without models', () => expect(modelTable([], pipe)).toBe(''));

  test('no text of a bundle is obeyed by a terminal', () => {
    const evil = '\u001b[2J\u202e';
    const about = {
      ...{ revision: evil, commit: evil, licence: evil, formats: [evil] },
      ...{ parameters: { [evil]: 1 }, pickled: { count: 1, files: [evil] } },
    };
    const text = modelTable([model(evil, { about, from: evil })], terminal(80));
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e]/);
  });
});

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1.00 K'],
  [557_696, '558 K'],
  [999_499, '999 K'],
  [999_500, '1.00 M'],
  [137_022_720, '137 M'],
  [8_030_261_248, '8.03 B'],
  [70_553_706_496, '70.6 B'],
  [1_026_000_000_000, '1.03 T'],
  [Number.MAX_SAFE_INTEGER, '9.01 P'],
])('%d parameters are %s', (count, text) => expect(magnitudeOf(count)).toBe(text));
