import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dray, must, run } from '../support/cli.ts';
import { missing } from '../support/programs.ts';

const DEMO = fileURLToPath(new URL('../../examples/hello/demo.mjs', import.meta.url));

/** The cargo is built by a script; these are its bytes on every machine and every Node. */
const CARGO = {
  'greeter.tar': '39324fcd9191413d90e4a78f616a5143502b804e74f1f9ffd3975226745f93c5',
  'primes.txt': '221e7e65198af290166111cc5d83727e59e01914ed45f71724cee6c9fd4ce791',
  'tiny-random-llama/model.safetensors': 'f86193cbc2f75e0b2180c1f3338dde28f62ec13c55252ff365fdefde802bbe76',
  'wheels/hello_greeter-1.0.0-py3-none-any.whl': 'b6187373b9746be3202c22fc3df1d2671fbf545c9e4e68e3d764c3d99a9b6600',
  'wheels/hello_tensors-1.0.0-py3-none-any.whl': 'a53f1473a39d4a9a21798880de41f32f68b2748387746bf140618351e02f637b',
};

const noPip =
  missing('python3') || (spawnSync('python3', ['-m', 'pip', '--version']).status === 0 ? '' : ' (pip not installed)');
const noSkopeo = missing('skopeo');
const noHelm = missing('helm');
const MACHINE = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
const noSha256sum = missing('sha256sum');

describe('examples/hello', () => {
  const base = mkdtempSync(join(tmpdir(), 'dray-'));
  const out = join(base, 'out');
  let said = '';

  beforeAll(async () => {
    said = await must(process.execPath, [DEMO, out]);
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it('carries everything over exactly two media, and says so', () => {
    expect(readdirSync(join(out, 'media')).sort()).toEqual(['hello-1-1of2', 'hello-1-2of2']);
    expect(said).toContain('6 deliveries: 6 sent; accepted');
  });

  it('builds the same cargo everywhere', () => {
    for (const [path, expected] of Object.entries(CARGO)) {
      const content = readFileSync(join(out, 'connected/cargo', path));
      expect([path, createHash('sha256').update(content).digest('hex')]).toEqual([path, expected]);
    }
  });

  it('may be run again, and locks the same', async () => {
    const lock = readFileSync(join(out, 'connected/dray.lock'), 'utf8');
    await must(process.execPath, [DEMO, out]);
    expect(readFileSync(join(out, 'connected/dray.lock'), 'utf8')).toBe(lock);
  });

  it('clears no directory that it did not make', async () => {
    writeFileSync(join(base, 'precious'), 'mine');
    const { status, stderr } = await run(process.execPath, [DEMO, base]);
    expect(status).toBe(1);
    expect(stderr).toContain('holds something else');
    expect(readFileSync(join(base, 'precious'), 'utf8')).toBe('mine');
  });

  it('goes on by hand as examples/README.md says', async () => {
    const connected = join(out, 'connected');
    writeFileSync(join(connected, 'handbook/checklist.txt'), 'one line more\n', { flag: 'a' });
    const key = ['--key', 'release.key'];
    expect((await dray(['pack', '../media', ...key], { cwd: connected })).status).toBe(13);
    expect((await dray(['lock', '--upgrade', 'handbook'], { cwd: connected })).status).toBe(0);
    expect((await dray(['pack', '../media', '--media', '2MB', ...key], { cwd: connected })).status).toBe(0);
    expect((await dray(['diff', '../media/hello-1-1of2', '../media/hello-2-1of2'], { cwd: connected })).status).toBe(4);
    const load = ['load', '../media', '--bundle', 'hello-2', '--site', 'site.yaml'];
    const { status, stdout } = await dray(load, { cwd: join(out, 'enclave') });
    expect(status).toBe(0);
    expect(stdout).toContain('1 sent, 5 present; accepted');
  });

  it.skipIf(noSha256sum !== '')(`media that sha256sum finds right${noSha256sum}`, async () => {
    for (const medium of ['hello-1-1of2', 'hello-1-2of2'])
      await must('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: join(out, 'media', medium) });
  });

  it.skipIf(noSkopeo !== '')(`an image that skopeo reads${noSkopeo}`, async () => {
    const reference = `oci:${join(out, 'enclave/oci')}:hello.example/greeter:1.0.0`;
    const raw = await must('skopeo', ['inspect', '--raw', reference]);
    const { manifests } = JSON.parse(raw) as { manifests: { platform: { architecture: string } }[] };
    expect(manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
  });

  it.skipIf(process.platform !== 'linux' || MACHINE === undefined)(
    'a program that runs (on Linux, amd64 or arm64)',
    async () => {
      const module = new URL('../../examples/hello/cargo/elf.mjs', import.meta.url).href;
      const elf = (await import(module)) as { program: (machine: string, text: string) => Buffer };
      const file = join(base, 'hello');
      writeFileSync(file, elf.program(MACHINE ?? '', 'Hello.\n'), { mode: 0o755 });
      expect(await must(file, [])).toBe('Hello.\n');
    },
  );

  it.skipIf(noHelm !== '')(`a chart that helm renders${noHelm}`, async () => {
    const rendered = await must('helm', ['template', 'first', chartIn(join(out, 'enclave/oci'), base)]);
    expect(rendered).toContain('image: "hello.example/greeter:1.0.0"');
  });

  it.skipIf(noPip !== '')(`wheels that pip installs${noPip}`, async () => {
    const wheels = join(out, 'enclave/files/tools');
    const target = join(base, 'site-packages');
    const words = ['install', '--quiet', '--no-index', '--disable-pip-version-check', '--find-links', wheels];
    await must('python3', ['-m', 'pip', ...words, '--target', target, 'hello-greeter']);
    const model = join(out, 'enclave/models/hello/tiny-random-llama');
    const env = { PYTHONPATH: target };
    expect(await must('python3', ['-m', 'hello_greeter', model], { env })).toBe(
      'Hello from LlamaForCausalLM: 557,696 parameters, all of them random.\n',
    );
  });
});

/** The chart's package out of an OCI layout, under a name that helm takes. */
function chartIn(layout: string, directory: string): string {
  const read = (digest: string): Buffer => readFileSync(join(layout, 'blobs/sha256', digest.slice('sha256:'.length)));
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as Manifests;
  const chart = index.manifests.find(({ annotations }) => annotations?.[REF_NAME] === 'charts/greeter:1.0.0');
  const manifest = JSON.parse(read(chart?.digest ?? '').toString()) as { layers: { digest: string }[] };
  const file = join(directory, 'greeter-1.0.0.tgz');
  writeFileSync(file, read(manifest.layers[0]?.digest ?? ''));
  return file;
}

const REF_NAME = 'org.opencontainers.image.ref.name';

interface Manifests {
  readonly manifests: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[];
}
