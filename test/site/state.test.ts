import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  appendFileSync,
  mkdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AcceptedBundle, EnclaveState } from '../../src/actions/options.ts';
import { journalFile } from '../../src/site/journal.ts';
import { openState } from '../../src/site/state.ts';

let base: string;
let directory: string;
const open = (readOnly = false): Promise<EnclaveState> => openState(directory, { readOnly, pid: process.pid });
const file = (name: string): string => join(directory, name);
const bundle = (name: string, sequence: number, more: Partial<AcceptedBundle> = {}): AcceptedBundle => ({
  name,
  sequence,
  digest: `sha256:${String(sequence).padStart(64, '0')}`,
  created: '2026-11-01T00:00:00Z',
  acceptedAt: '2026-11-02T00:00:00Z',
  signers: ['sha256:key'],
  ...more,
});

/** What another process finds. */
async function reread<T>(look: (state: EnclaveState) => T): Promise<T> {
  const state = await open(true);
  try {
    return look(state);
  } finally {
    await state.release();
  }
}

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'dray-'));
  directory = join(base, 'var', 'state');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('accepted bundles', () => {
  it('are kept, the last of each name', async () => {
    const state = await open();
    const rollback = bundle('a', 2, { note: 'rolled back from 3 on purpose' });
    for (const each of [bundle('a', 3), bundle('b', 1), rollback]) await state.accept(each);
    expect(state.read()).toEqual([rollback, bundle('b', 1)]);
    await state.release();
    expect(await reread(({ read }) => read())).toEqual([rollback, bundle('b', 1)]);
    expect(readFileSync(file('accepted.jsonl'), 'utf8').split('\n')).toHaveLength(4);
  });

  it.each([
    ['half a line', '{"name":"a","seq', [1]],
    ['zeros that a power loss left', '\0\0\0\0\n{"na', [1]],
    ['a line without its end', JSON.stringify(bundle('a', 2)), [2]],
  ])('are read past what a crash left: %s', async (_what, tail, sequences) => {
    const state = await open();
    await state.accept(bundle('a', 1));
    await state.release();
    appendFileSync(file('accepted.jsonl'), tail);
    expect(await reread(({ read }) => read().map(({ sequence }) => sequence))).toEqual(sequences);
    const again = await open();
    await again.accept(bundle('b', 9));
    await again.release();
    expect(await reread(({ read }) => read().map(({ sequence }) => sequence))).toEqual([...sequences, 9]);
  });

  it.each([
    ['no JSON', 'garbage'],
    ['no object', '12'],
    ['no bundle', '{"name":"a"}'],
    ['a foreign digest', JSON.stringify({ ...bundle('a', 2), digest: 'md5:1' })],
    ['nothing', ''],
  ])('that are damaged are an error that names file and line: %s', async (_what, line) => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      file('accepted.jsonl'),
      `${JSON.stringify(bundle('a', 1))}\n${line}\n${JSON.stringify(bundle('b', 1))}\n`,
    );
    for (const readOnly of [false, true]) {
      const message = expect.stringContaining(`${file('accepted.jsonl')}:2: `) as string;
      await expect(open(readOnly)).rejects.toMatchObject({ code: 'state-damaged', exit: 1, message });
    }
    expect(existsSync(file('lock'))).toBe(false);
  });
});

describe('bundles under way', () => {
  const since = '2026-11-01T12:00:00Z';

  it('are those begun and not accepted', async () => {
    const state = await open();
    await state.begin({ name: 'a', sequence: 1, since });
    await state.begin({ name: 'a', sequence: 1, since: '2026-11-01T13:00:00Z' });
    await state.begin({ name: 'b', sequence: 5, since });
    expect(state.underway()).toEqual([
      { name: 'a', sequence: 1, since },
      { name: 'b', sequence: 5, since },
    ]);
    expect(await reread(({ underway }) => underway())).toHaveLength(2);
    await state.accept(bundle('a', 1));
    expect(state.underway()).toEqual([{ name: 'b', sequence: 5, since }]);
    await state.accept(bundle('b', 6));
    await state.release();
    expect(await reread(({ underway }) => underway())).toEqual([]);
  });

  it('are struck off by the log, where a crash came before the other file', async () => {
    const state = await open();
    await state.begin({ name: 'a', sequence: 1, since });
    const before = readFileSync(file('underway.json'));
    await state.accept(bundle('a', 1));
    await state.release();
    writeFileSync(file('underway.json'), before);
    expect(await reread(({ underway }) => underway())).toEqual([]);
  });

  it('may be begun again once accepted', async () => {
    const state = await open();
    await state.accept(bundle('a', 1));
    await state.begin({ name: 'a', sequence: 1, since: '2026-11-03T00:00:00Z' });
    expect(state.underway()).toHaveLength(1);
    await state.release();
  });

  it('that are damaged are an error that names the file', async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(file('underway.json'), '[{"name":1}]');
    await expect(open(true)).rejects.toMatchObject({
      code: 'state-damaged',
      message: expect.stringContaining(file('underway.json')) as string,
    });
  });
});

describe('a journal', () => {
  const URI = 'directory:/srv/x?y=../../z';

  it('keeps values for the next process, one journal for each target', async () => {
    const state = await open();
    const journal = state.journal(URI);
    expect(state.journal(URI)).toBe(journal);
    journal.set('a', { deep: [1, 'two', null] });
    journal.set('b', 1);
    journal.delete('b');
    journal.setAll([
      ['c', 'c'],
      ['__proto__', 'odd'],
      ['d', 'd'],
      ['d', undefined],
      ['never', undefined],
    ]);
    state.journal('other').set('a', 'other');
    await state.release();
    await reread((again) => {
      expect(['a', 'b', 'c', 'd', '__proto__'].map((key) => again.journal(URI).get(key))).toEqual([
        { deep: [1, 'two', null] },
        undefined,
        'c',
        undefined,
        'odd',
      ]);
      expect(again.journal('other').get('a')).toBe('other');
    });
    expect(readdirSync(file('journal')).every((name) => /^[0-9a-f]{64}\.jsonl$/.test(name))).toBe(true);
    expect(readFileSync(journalFile(file('journal'), URI), 'utf8').split('\n')[0]).toBe(
      JSON.stringify({ target: URI }),
    );
  });

  it('does what a map does, over any number of processes and torn ends', async () => {
    const change = fc.record({
      key: fc.string({ maxLength: 4 }),
      value: fc.option(fc.jsonValue(), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 6 }),
        fc.string({ maxLength: 9 }),
        async (batches, tail) => {
          rmSync(directory, { recursive: true, force: true });
          const model = new Map<string, unknown>();
          for (const batch of batches) {
            const state = await open();
            const changes = batch.map(({ key, value }) => [key, value ?? undefined] as const);
            state.journal(URI).setAll(changes);
            for (const [key, value] of changes) {
              if (value === undefined) model.delete(key);
              else model.set(key, value);
            }
            await state.release();
            appendFileSync(journalFile(file('journal'), URI), `{${tail.replaceAll('\n', '')}`);
          }
          await reread((again) => {
            for (const [key, value] of model)
              expect(again.journal(URI).get(key)).toEqual(JSON.parse(JSON.stringify(value)));
            for (const { key } of batches.flat())
              if (!model.has(key)) expect(again.journal(URI).get(key)).toBeUndefined();
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is compacted when it is opened, and loses nothing by it', async () => {
    const state = await open();
    const journal = state.journal(URI);
    for (let round = 0; round < 4; round++) journal.setAll(Array.from({ length: 1500 }, (_, at) => [`k${at}`, round]));
    await state.release();
    const before = readFileSync(journalFile(file('journal'), URI)).length;
    const again = await open();
    expect(again.journal(URI).get('k1499')).toBe(3);
    const after = readFileSync(journalFile(file('journal'), URI)).length;
    expect(after).toBeLessThan(before / 3);
    again.journal(URI).set('more', true);
    await again.release();
    await reread((last) => {
      expect([last.journal(URI).get('k0'), last.journal(URI).get('k1499'), last.journal(URI).get('more')]).toEqual([
        3,
        3,
        true,
      ]);
    });
  });

  it('with a damaged line is an error that names the file', async () => {
    const state = await open();
    state.journal(URI).set('a', 1);
    state.journal(URI).set('b', 2);
    await state.release();
    const path = journalFile(file('journal'), URI);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"a"', '"a'));
    const again = await open();
    expect(() => again.journal(URI)).toThrow(
      expect.objectContaining({ code: 'state-damaged', message: expect.stringContaining(`${path}:2: `) as string }),
    );
    await again.release();
  });
});

describe('who may', () => {
  it('one writer at a time, and readers beside it', async () => {
    const state = await open();
    await expect(open()).rejects.toMatchObject({ code: 'locked', exit: 17 });
    expect(await reread(({ read }) => read())).toEqual([]);
    await state.release();
    await (await open()).release();
    expect(existsSync(file('lock'))).toBe(false);
  });

  it('a reader writes nothing, and needs nothing', async () => {
    const state = await open(true);
    expect([state.read(), state.underway(), state.journal('x').get('a')]).toEqual([[], [], undefined]);
    await expect(state.accept(bundle('a', 1))).rejects.toMatchObject({ code: 'internal' });
    await expect(state.begin({ name: 'a', sequence: 1, since: '2026-11-01T12:00:00Z' })).rejects.toMatchObject({
      code: 'internal',
    });
    expect(() => state.journal('x').set('a', 1)).toThrow(expect.objectContaining({ code: 'internal' }));
    await state.release();
    expect(existsSync(directory)).toBe(false);
  });

  it('a directory that cannot be written is an error at once', async () => {
    mkdirSync(join(base, 'var'));
    writeFileSync(directory, 'a file');
    await expect(open()).rejects.toThrow();
  });

  it('what a killed run left half written is swept away', async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(file('.dray-tmp-0123456789abcdef'), '');
    await (await open()).release();
    expect(readdirSync(directory)).toEqual(['accepted.jsonl']);
  });
});
