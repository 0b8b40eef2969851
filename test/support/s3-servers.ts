import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { program } from './programs.ts';

/** Whoever may do everything at these servers. */
export const LOGIN = { AWS_ACCESS_KEY_ID: 'dray-test', AWS_SECRET_ACCESS_KEY: 'dray-test-secret' };

export interface S3Server {
  readonly endpoint: string;
  /** The directory of its data. */
  readonly data: string;
  readonly stop: () => Promise<void>;
}

export interface S3Program {
  readonly name: string;
  /** The program that must be installed. */
  readonly file: string;
  readonly start: (options?: { readonly region?: string }) => Promise<S3Server>;
}

type WordsOf = (port: number, data: string, region: string) => readonly string[];

/** S3 servers that the tests know: each on a free port of 127.0.0.1, with its data in a temporary directory. */
export const S3_PROGRAMS: readonly S3Program[] = [
  known('versitygw', 'versitygw', (port, data, region) => [
    ...['--port', `127.0.0.1:${port}`, '--region', region, '--quiet'],
    ...['posix', data],
  ]),
  known('MinIO', 'minio', (port, data) => [
    ...['server', '--quiet', '--address', `127.0.0.1:${port}`, '--console-address', '127.0.0.1:0'],
    data,
  ]),
  known('SeaweedFS', 'weed', (port, data) => [
    ...['server', '-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-dir=${data}`, '-s3', `-s3.port=${port}`],
    ...['-volume.max=50', '-master.volumeSizeLimitMB=256'],
  ]),
];

export const VERSITYGW = S3_PROGRAMS[0]!;

function known(name: string, file: string, words: WordsOf): S3Program {
  return { name, file, start: ({ region = 'us-east-1' } = {}) => start(file, words, region) };
}

async function start(file: string, words: WordsOf, region: string): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  const data = join(directory, 'data');
  mkdirSync(data);
  const port = await freePort();
  const { AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret } = LOGIN;
  const login = {
    ...{ ROOT_ACCESS_KEY: access, ROOT_SECRET_KEY: secret },
    ...{ MINIO_ROOT_USER: access, MINIO_ROOT_PASSWORD: secret, MINIO_REGION: region },
  };
  const child = spawn(program(file) ?? file, words(port, data, region), {
    stdio: 'ignore',
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: directory, ...login, ...LOGIN },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await answering(endpoint, child, file);
  return {
    endpoint,
    data,
    stop: async () => {
      await end(child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function answering(endpoint: string, child: ChildProcess, file: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) break;
    const status = await fetch(endpoint).then(
      (response) => response.status,
      () => 0,
    );
    if (status > 0 && status < 500) return;
    await pause(50);
  }
  throw new Error(`${file} did not start at ${endpoint}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
