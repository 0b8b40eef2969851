import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dray, must } from '../support/cli.ts';
import { startServer } from '../support/loopback-server.ts';
import { missing } from '../support/programs.ts';

/**
 * Real packages from the index that pip is set up for on this machine, carried over the gap and installed there by pip and uv, without any
 * index: for this machine's Python, and for one that is not here.
 */

const MINUTES = 60_000;
const ASKED = ['huggingface_hub', 'boto3', 'cryptography', 'pydantic', 'jinja2', 'python-dotenv'];
const IMPORTED =
  'import boto3, huggingface_hub, cryptography.fernet, pydantic, jinja2, dotenv; print(boto3.__version__)';
const ELSEWHERE = [
  'manylinux_2_28_aarch64',
  'manylinux_2_17_aarch64',
  'manylinux2014_aarch64',
  'manylinux_2_26_aarch64',
  'manylinux_2_27_aarch64',
  'manylinux_2_24_aarch64',
];
const lacking = missing('python3', 'uv');

describe.skipIf(lacking !== '')(`real packages, carried over the gap${lacking}`, () => {
  const work = mkdtempSync(join(tmpdir(), 'dray-'));
  const house = join(work, 'enclave', 'tools');
  /** Nothing of this machine's settings holds in the enclave; names there lead nowhere. */
  const enclave = {
    ...{
      PIP_CONFIG_FILE: '/dev/null',
      PIP_INDEX_URL: '',
      PIP_FIND_LINKS: '',
      PIP_NO_CACHE_DIR: '1',
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
    },
    ...{
      HOME: work,
      UV_CACHE_DIR: join(work, 'uv-cache'),
      http_proxy: 'http://127.0.0.1:1',
      https_proxy: 'http://127.0.0.1:1',
      no_proxy: '127.0.0.1',
    },
  };
  let versions: readonly string[];

  const ok = async (...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await dray(words, { cwd: work });
    if (status !== 0) throw new Error(`dray ${words.join(' ')}: ended with ${status}\n${stdout}${stderr}`);
    return stdout;
  };
  /** A clean virtual environment, and the Python in it. */
  const fresh = async (name: string): Promise<string> => {
    await must('python3', ['-m', 'venv', join(work, name)]);
    return join(work, name, 'bin', 'python');
  };
  const installed = async (python: string): Promise<readonly string[]> => {
    const listed = JSON.parse(await must(python, ['-m', 'pip', 'list', '--format=json'], { env: enclave })) as {
      name: string;
    }[];
    return listed.map(({ name }) => name);
  };

  beforeAll(async () => {
    const said = await must('python3', [
      '-c',
      'import sys, platform; print(*sys.version_info[:2], platform.machine())',
    ]);
    const [major, minor, machine] = said.trim().split(' ');
    versions = [...new Set([`${major}.${minor}`, '3.12'])];
    writeFileSync(join(work, 'requirements.txt'), ASKED.map((name) => `${name}\n`).join(''));
    writeFileSync(
      join(work, 'dray.yaml'),
      [
        'apiVersion: drayage/v1\nkind: Manifest\nname: tools\nwheels:',
        `  - {name: tools, requirements: requirements.txt, python: [${versions.join(', ')}], platforms: [manylinux_2_28_${machine}, manylinux_2_28_aarch64]}\n`,
      ].join('\n'),
    );
    await ok('keygen', 'release', '--no-password');
    await ok('lock');
    await ok('pack', 'out', '--key', 'release.key');
    await ok('load', 'out', '--key', 'release.pub', '--to', 'directory:enclave', '--state', 'state');
  }, 10 * MINUTES);
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  it('are thirty or more, of several platforms, pinned to https and digests', () => {
    const lock = readFileSync(join(work, 'dray.lock'), 'utf8');
    const wheels = readdirSync(house).filter((name) => name.endsWith('.whl'));
    const projects = new Set(wheels.map((name) => name.split('-')[0]?.toLowerCase()));
    expect(projects.size).toBeGreaterThanOrEqual(30);
    expect(wheels.some((name) => name.includes('aarch64'))).toBe(true);
    expect(wheels.filter((name) => /-(?:win|macosx|musllinux)/.test(name))).toEqual([]);
    expect([...lock.matchAll(/title: (\S+\.whl)/g)]).toHaveLength(wheels.length);
    expect(lock).not.toMatch(/\/\/[^/\s]*@/);
  });

  it(
    'are fetched from the lock alone, into another store, and come to the same',
    async () => {
      expect(await ok('lock', '--check')).toBeDefined();
      expect(await ok('fetch', '--store', join(work, 'other-store'))).toBeDefined();
    },
    5 * MINUTES,
  );

  it(
    'install with pip from the directory',
    async () => {
      const python = await fresh('find-links');
      await must(python, ['-m', 'pip', 'install', '--quiet', '--no-index', '--find-links', house, ...ASKED], {
        env: enclave,
      });
      expect((await installed(python)).length).toBeGreaterThanOrEqual(30);
      expect(await must(python, ['-c', IMPORTED])).toMatch(/^1\./);
    },
    5 * MINUTES,
  );

  it(
    'install with pip from the static index, as files and over HTTP',
    async () => {
      const server = await startServer(({ url = '' }, response) => {
        const path = join(work, 'enclave', decodeURIComponent(new URL(url, 'http://x').pathname));
        const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'index.html') : path;
        if (!existsSync(file)) return void response.writeHead(404).end();
        response.writeHead(200, { 'content-type': file.endsWith('.html') ? 'text/html' : 'application/zip' });
        createReadStream(file).pipe(response);
      });
      for (const [name, index] of [
        ['by-file', `file://${house}/simple`],
        ['by-http', `${server.url}/tools/simple`],
      ] as const) {
        const python = await fresh(name);
        await must(python, ['-m', 'pip', 'install', '--quiet', '--index-url', index, ...ASKED], { env: enclave });
        expect((await installed(python)).length).toBeGreaterThanOrEqual(30);
      }
      await server.stop();
    },
    5 * MINUTES,
  );

  it(
    'install with uv, offline',
    async () => {
      const python = await fresh('by-uv');
      await must(
        'uv',
        ['pip', 'install', '--quiet', '--offline', '--no-index', '--find-links', house, '--python', python, ...ASKED],
        { env: enclave },
      );
      expect((await installed(python)).length).toBeGreaterThanOrEqual(30);
    },
    5 * MINUTES,
  );

  it(
    'would install for Python 3.12 on aarch64',
    async () => {
      const words = [
        '-m',
        'pip',
        'install',
        '--dry-run',
        '--no-index',
        '--find-links',
        house,
        '--target',
        join(work, 'target'),
        '--python-version',
        '3.12',
      ];
      const said = await must(
        'python3',
        [...words, '--only-binary=:all:', ...ELSEWHERE.flatMap((platform) => ['--platform', platform]), ...ASKED],
        { env: enclave },
      );
      expect(said).toMatch(/^Would install .*boto3-.*cryptography-/m);
    },
    5 * MINUTES,
  );
});
