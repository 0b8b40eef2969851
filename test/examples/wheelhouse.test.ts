import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../support/cli.ts';
import { missing } from '../support/programs.ts';

const DEMO = fileURLToPath(new URL('../../examples/wheelhouse/demo.mjs', import.meta.url));
const lacking = missing('python3');

describe('examples/wheelhouse', () => {
  const base = mkdtempSync(join(tmpdir(), 'dray-'));
  const out = join(base, 'out');
  const files = join(out, 'enclave', 'files');
  let said: string;
  beforeAll(async () => {
    said = await must(process.execPath, [DEMO, out]);
  }, 120_000);
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it('locks for named Pythons and platforms, from the first index that has a project', () => {
    const lock = readFileSync(join(out, 'connected/dray.lock'), 'utf8');
    const torch = [...lock.matchAll(/title: (torch\S+\.whl)/g)].map(([, file]) => file);
    expect(torch.sort()).toEqual(
      ['cp311', 'cp312'].flatMap((python) =>
        ['aarch64', 'x86_64'].map((machine) => `torch-2.6.0+cu126-${python}-${python}-manylinux_2_28_${machine}.whl`),
      ),
    );
    expect(lock).toContain('https://wheels.example/files/torch-2.6.0%2Bcu126-cp311');
    expect(lock).not.toContain('127.0.0.1');
    expect(lock).not.toContain('colorama');
    expect(said).not.toContain('warning');
  });

  it('has a static index for each wheelhouse in the enclave', () => {
    expect(readdirSync(join(files, 'service', 'simple')).sort()).toEqual([
      'fastapi',
      'index.html',
      'starlette',
      'typing-extensions',
    ]);
    expect(readFileSync(join(files, 'training/simple/filelock/index.html'), 'utf8')).toContain(
      'data-requires-python="&#62;=3.10"',
    );
  });

  it.skipIf(lacking !== '')(
    `installs there with pip, from files and from the index${lacking}`,
    async () => {
      const env = { PIP_CONFIG_FILE: '/dev/null', PIP_FIND_LINKS: '', PIP_NO_INDEX: '', PIP_INDEX_URL: '' };
      const words = ['-m', 'pip', 'install', '--dry-run', '--target', join(base, 'target'), '--only-binary=:all:'];
      const from = (...more: readonly string[]): Promise<string> => must('python3', [...words, ...more], { env });
      const arm = ['--python-version', '3.11', '--platform', 'manylinux_2_28_aarch64'];
      expect(await from(...arm, '--no-index', '--find-links', join(files, 'training'), 'torch')).toMatch(
        /Would install filelock-3\.20\.0 mpmath-1\.3\.0 sympy-1\.13\.1 torch-2\.6\.0\+cu126/,
      );
      const x86 = ['--python-version', '3.12', '--platform', 'manylinux_2_28_x86_64'];
      expect(await from(...x86, '--index-url', `file://${files}/service/simple`, 'fastapi')).toContain(
        'Would install fastapi-0.118.0 starlette-0.48.0',
      );
    },
    60_000,
  );
});
