import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DockerRegistry } from './docker-registry.ts';
import { program } from './programs.ts';

/** zot on a free port of 127.0.0.1; `compat`: it takes Docker schema 2, which it refuses by itself. */
export async function startZot({ compat }: { readonly compat: boolean }): Promise<DockerRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  const data = join(directory, 'data');
  const port = await freePort();
  const http = { address: '127.0.0.1', port: String(port), ...(compat ? { compat: ['docker2s2'] } : {}) };
  const settings = { distSpecVersion: '1.1.1', storage: { rootDirectory: data }, http, log: { level: 'error' } };
  const file = join(directory, 'config.json');
  writeFileSync(file, JSON.stringify(settings));
  const host = `127.0.0.1:${port}`;
  let running = await run(file, host);
  return {
    host,
    data,
    restart: async () => {
      await end(running);
      running = await run(file, host);
    },
    stop: async () => {
      await end(running);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function run(file: string, host: string): Promise<ChildProcess> {
  const child = spawn(program('zot') ?? 'zot', ['serve', file], { stdio: 'ignore' });
  for (let tries = 0; tries < 200 && child.exitCode === null; tries++) {
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer?.ok === true) return child;
    await pause(50);
  }
  await end(child);
  throw new Error('zot did not start');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** zot does not say which port it was given. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
