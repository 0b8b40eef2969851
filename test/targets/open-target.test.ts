import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { TargetSpec } from '../../src/site/site.ts';
import { openTarget } from '../../src/targets/index.ts';
import type { TargetDependencies } from '../../src/targets/index.ts';
import { deliverAll, filesSample, memoryJournal } from '../support/deliveries.ts';

let base: string;
const everything = { group: [], without: [], take: [] };
const journals = (): TargetDependencies['journal'] & { readonly asked: string[] } => {
  const asked: string[] = [];
  const journal = memoryJournal();
  return Object.assign((uri: string) => (asked.push(uri), journal), { asked });
};
const dependencies = (journal: TargetDependencies['journal']): TargetDependencies => ({
  ctx: quietContext(),
  journal,
  environment: {},
  pid: process.pid,
});

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

it.each(['directory', 'model-cache', 'oci-layout'] as const)(
  'makes a target of type %s under the URI of `--to`, and touches nothing',
  (type) => {
    const journal = journals();
    const directory = join(base, 'srv');
    const place = { directory, ...everything };
    const spec: TargetSpec = type === 'model-cache' ? { type, layout: 'plain', ...place } : { type, ...place };
    const target = openTarget(spec, dependencies(journal));
    expect(target.uri).toBe(`${type}:${directory}`);
    expect(target.nameOf(filesSample('models', 'example/m', { a: 'a' }).artifact)).toContain('example/m');
    expect(existsSync(directory)).toBe(false);
    expect(journal.asked).toEqual([]);
  },
);

it('shares one target between two entries of a site that name one directory', async () => {
  const journal = journals();
  const lean = dependencies(journal);
  const spec = { type: 'directory', directory: join(base, 'srv'), ...everything } satisfies TargetSpec;
  const [one, two] = [openTarget({ ...spec, take: ['wheels'] }, lean), openTarget({ ...spec, take: ['files'] }, lean)];
  expect(one).toBe(two);
  expect(openTarget(spec, dependencies(journal))).not.toBe(one);
  await deliverAll(one, [filesSample('files', 'f', { a: 'a' })]);
  expect(readFileSync(join(base, 'srv', 'a'), 'utf8')).toBe('a');
  expect(new Set(journal.asked)).toEqual(new Set([one.uri]));
});
