import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { noise } from '../support/bundles.ts';
import { DRAY, dray, drayJson, must } from '../support/cli.ts';
import { startFakeS3 } from '../support/fake-s3.ts';
import type { Asked, FakeS3 } from '../support/fake-s3.ts';
import { missing, program } from '../support/programs.ts';
import { LOGIN, VERSITYGW } from '../support/s3-servers.ts';
import { weightsFile } from '../support/safetensors.ts';
import type { S3Server } from '../support/s3-servers.ts';
import { workDirectory } from './harness.ts';

/** Deliveries to a bucket by the command itself, as processes of their own. */

const FULL = process.env['DRAY_TORTURE'] === 'full';
const home = workDirectory();
const weights = weightsFile(40_000_000, 'weights');
const env = { ...LOGIN, HOME: home, AWS_EC2_METADATA_DISABLED: 'true' };
const discs = ['cargo-1-1of4', 'cargo-1-2of4', 'cargo-1-3of4', 'cargo-1-4of4'].map((name) => join('out', name));
const files: Readonly<Record<string, Buffer>> = {
  'example/m/config.json': Buffer.from('{"layers": 2}\n'),
  'example/m/model.safetensors': weights,
  'data/a': Buffer.from('a\n'),
  'data/below/b': noise(100_000, 'b'),
};

beforeAll(async () => {
  mkdirSync(join(home, 'weights'));
  mkdirSync(join(home, 'data/below'), { recursive: true });
  for (const [name, bytes] of Object.entries(files))
    writeFileSync(join(home, name.replace('example/m', 'weights')), bytes);
  writeFileSync(
    join(home, 'dray.yaml'),
    'apiVersion: drayage/v1\nkind: Manifest\nname: cargo\nmodels: [{path: weights, as: example/m}]\nfiles: [data]\n',
  );
  const steps = [['keygen', 'k', '--no-password'], ['lock'], ['pack', 'out', '--media', '12MB', '--key', 'k.key']];
  for (const words of steps) expect((await dray(words, { cwd: home })).stderr).not.toMatch(/^dray:/m);
  expect(readdirSync(join(home, 'out'))).toHaveLength(4);
}, 60_000);

const load = (media: readonly string[], to: string, more: readonly string[] = []): ReturnType<typeof drayJson> =>
  drayJson(['load', ...media, '--key', 'k.pub', '--state', 'state', '--to', to, ...more], { cwd: home, env });

describe.skipIf(program('versitygw') === undefined)(`versitygw${missing('versitygw')}`, () => {
  let server: S3Server;
  let to: string;
  let at: (...parts: readonly string[]) => string;

  beforeEach(async () => {
    rmSync(join(home, 'state'), { recursive: true, force: true });
    server = await VERSITYGW.start();
    to = `s3://cargo/pre/fix?endpoint=${server.endpoint}&createBucket=true`;
    at = (...parts) => join(server.data, 'cargo', 'pre/fix', ...parts);
  });
  afterEach(() => server.stop());

  const expectAll = (): void => {
    for (const [name, bytes] of Object.entries(files)) expect(digestOf(readFileSync(at(name)))).toBe(digestOf(bytes));
    const own = readdirSync(at('.dray'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(own.map(({ name }) => name).sort()).toEqual(['data.json', 'm.json']);
  };

  it('gets segments of four discs from four processes, in any order', async () => {
    for (const [turn, disc] of [2, 0, 3, 1].entries()) {
      const { status, document, stderr } = await load([discs[disc]!], to);
      expect([status, stderr.includes('Warning')]).toEqual([turn === 3 ? 0 : 12, false]);
      if (turn < 3) expect((document as { error: { code: string } }).error.code).toBe('volume-missing');
    }
    expectAll();
    const again = await load(discs, to);
    expect(again.status).toBe(0);
    const { delivered } = again.document as { delivered: { state: string; bytes: number }[] };
    expect(delivered.map(({ state, bytes }) => `${state} ${bytes}`)).toEqual(['present 0', 'present 0']);
  }, 300_000);

  it('is one of several targets of a site, and is not touched by a dry run', async () => {
    writeFileSync(
      join(home, 'site.yaml'),
      `apiVersion: drayage/v1\nkind: Site\nname: enclave\nstate: state\ntrust: {keys: [k.pub]}\ntargets:\n` +
        `  - {s3: cargo/pre/fix, endpoint: '${server.endpoint}', createBucket: true}\n` +
        `  - {modelCache: far/models}\n  - {directory: far/files}\n`,
    );
    const words = ['load', ...discs, '--site', 'site.yaml'];
    const dry = await drayJson([...words, '--dry-run'], { cwd: home, env });
    expect(dry.status).toBe(0);
    const planned = (dry.document as { delivered: { target: string; name: string }[] }).delivered;
    expect(planned.map(({ target, name }) => `${target} ${name}`)).toContain(
      `s3://cargo/pre/fix?endpoint=${server.endpoint} example/m`,
    );
    expect(readdirSync(server.data)).not.toContain('cargo');
    expect((await drayJson(words, { cwd: home, env })).status).toBe(0);
    expectAll();
    expect(digestOf(readFileSync(join(home, 'far/models/example/m/model.safetensors')))).toBe(digestOf(weights));
    expect(readFileSync(join(home, 'far/files/data/a'), 'utf8')).toBe('a\n');
  }, 300_000);

  it.skipIf(program('aws') === undefined)(
    `shows the AWS CLI what was delivered${missing('aws')}`,
    async () => {
      expect((await load(discs, to)).status).toBe(0);
      const words = ['--endpoint-url', server.endpoint, '--region', 'us-east-1', 's3'];
      const listed = await must('aws', [...words, 'ls', '--recursive', 's3://cargo/pre/fix/example/'], { env });
      expect(
        listed
          .trim()
          .split('\n')
          .map((line) => line.split(/\s+/).slice(2).join(' ')),
      ).toEqual(['14 pre/fix/example/m/config.json', '40000000 pre/fix/example/m/model.safetensors']);
      await must('aws', [...words, 'cp', '--quiet', 's3://cargo/pre/fix/example/m/model.safetensors', 'got'], {
        cwd: home,
        env,
      });
      expect(digestOf(readFileSync(join(home, 'got')))).toBe(digestOf(weights));
    },
    300_000,
  );
});

describe('kill -9 at any request', () => {
  let fake: FakeS3;
  beforeEach(async () => {
    rmSync(join(home, 'state'), { recursive: true, force: true });
    fake = await startFakeS3();
  });
  afterEach(() => fake.stop());

  const loading = (): ChildProcess => {
    const to = `s3://bucket/p?endpoint=${fake.url}`;
    const words = [DRAY, 'load', ...discs, '--key', 'k.pub', '--state', 'state', '--to', to, '--no-input', '-q'];
    return spawn(process.execPath, words, { cwd: home, env: { PATH: process.env['PATH'], ...env }, stdio: 'ignore' });
  };
  const ended = (child: ChildProcess): Promise<number | string> =>
    new Promise((resolve) => child.once('close', (status, signal) => resolve(status ?? signal ?? -1)));
  const markers = (): readonly string[] =>
    [...fake.objects.keys()].filter((key) => /\/\.dray\/(models|files)\//.test(key));
  const isPart = ({ method, query }: Asked): boolean => method === 'PUT' && query.has('partNumber');

  it.each(FULL ? Array.from({ length: 40 }, (_, at) => at + 1) : [12, 19, 23])(
    'the %ith, and again at the next ones, then the same command to its end',
    async (nth) => {
      for (const strike of [nth, Math.ceil(nth / 2)]) {
        let count = 0;
        const child = loading();
        fake.fault = () => {
          if (++count === strike) child.kill('SIGKILL');
          return undefined;
        };
        const end = await ended(child);
        fake.fault = () => undefined;
        if (end !== 'SIGKILL') break;
        // A marker says that everything is there.
        for (const key of markers()) {
          const below = key.includes('/models/') ? 'example/' : 'data/';
          for (const [name, bytes] of Object.entries(files))
            if (name.startsWith(below)) expect(fake.objects.get(`p/${name}`)?.bytes.equals(bytes)).toBe(true);
        }
      }
      expect(await ended(loading())).toBe(0);
      for (const [name, bytes] of Object.entries(files))
        expect(fake.objects.get(`p/${name}`)?.bytes.equals(bytes), name).toBe(true);
      expect([...fake.objects.keys()].filter((key) => key.includes('/pieces/'))).toEqual([]);
      expect([...fake.uploads]).toEqual([]);
      expect(markers()).toHaveLength(2);
      // What was on its way when it was killed came again, and nothing else did.
      const sent = fake.asked.filter(isPart);
      expect(sent.length).toBeLessThanOrEqual(3 + 2 * 3);
      expect(await ended(loading())).toBe(0);
      expect(fake.asked.filter(isPart)).toHaveLength(sent.length);
    },
    300_000,
  );
});
