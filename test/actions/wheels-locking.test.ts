import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dray } from '../cli/harness.ts';
import { manifest, workplace } from '../support/enclave.ts';
import { startWheelIndex } from '../support/wheel-index.ts';
import type { WheelIndex } from '../support/wheel-index.ts';

const [A, B] = ['a-1.0-py3-none-any.whl', 'b-1.0-py3-none-any.whl'];
const at = workplace();
let index: WheelIndex;
beforeAll(async () => {
  index = await startWheelIndex({ files: [{ file: A }, { file: B }] });
});
afterAll(() => index.stop());

const run = async (...argv: readonly string[]): Promise<number> =>
  (await dray(argv, { cwd: at.path('.'), env: { PIP_CONFIG_FILE: '/dev/null' } })).status;
const locked = (): string => readFileSync(at.path('dray.lock'), 'utf8');

test('a lock of wheels stays while its files do, and is behind when one that they include changes', async () => {
  at.write({
    'requirements.txt': `a==1.0 --hash=sha256:${index.hexOf(A)}\n-r more.txt\n`,
    'more.txt': '# nothing yet\n',
    'dray.yaml': manifest(
      'm',
      `wheels: [{name: w, requirements: requirements.txt, python: 3.12, platforms: win_amd64, index: "${index.url}"}]\n`,
    ),
  });
  expect(await run('lock')).toBe(0);
  const first = locked();
  expect(first).toContain(`title: ${A}`);
  index.asked.length = 0;
  expect([await run('lock'), await run('lock', '--check')]).toEqual([0, 0]);
  expect([locked(), index.asked]).toEqual([first, []]);
  at.write({ 'more.txt': `b==1.0 --hash=sha256:${index.hexOf(B)}\n` });
  expect([await run('lock', '--check'), await run('pack', 'out', '--unsigned')]).toEqual([13, 13]);
  expect(await run('lock')).toBe(0);
  expect(locked()).toContain(`title: ${B}`);
  expect(await run('fetch')).toBe(0);
});
