import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from './programs.ts';

export interface DockerRegistry {
  /** `127.0.0.1:PORT`; the same after a restart. */
  readonly host: string;
  /** The directory of its data. */
  readonly data: string;
  /** Ends the process, hard, and starts it again on the same port and data. */
  restart(): Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface DockerRegistryOptions {
  /** `docker-registry` is Debian's, distribution 2.8 (default); `registry` is distribution 3. */
  readonly program?: 'docker-registry' | 'registry';
  /** `http.secret`: with it, uploads that are open outlive a restart. */
  readonly secret?: string;
  /** Lines of an htpasswd file (bcrypt): logins are demanded. */
  readonly htpasswd?: string;
  /** `auth.token` of its configuration: tokens are demanded. */
  readonly token?: Readonly<Record<string, string>>;
  /** Layers may have URLs; without it a manifest with foreign layers is refused. */
  readonly allowUrls?: boolean;
  /** PEM texts: the registry speaks TLS; with `clients` to those alone who have a certificate of this authority. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly clients?: string };
}

export const hasDockerRegistry = program('docker-registry') !== undefined;

/** For htpasswd: user `user`, password `open sesame`. */
export const OPEN_SESAME = 'user:$2b$04$reHRlOjEw4wobwh.YBbvuuDTILAZoo5aFhJrtvt0UYozkZ8PRg2ui\n';

/** A registry of CNCF distribution on a free port of 127.0.0.1, with its data in a temporary directory. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  const configuration = join(directory, 'config.yml');
  const start = async (address: string): Promise<Running> => {
    writeFileSync(configuration, configurationOf(directory, address, options));
    return run(options.program ?? 'docker-registry', configuration);
  };
  let running = await start('127.0.0.1:0');
  const { host } = running;
  return {
    host,
    data: join(directory, 'data'),
    restart: async () => {
      await end(running.process);
      running = await start(host);
    },
    stop: async () => {
      await end(running.process);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Running {
  readonly process: ChildProcess;
  readonly host: string;
}

function configurationOf(directory: string, address: string, options: DockerRegistryOptions): string {
  const { secret, htpasswd, token, allowUrls, tls } = options;
  const file = (name: string, content: string): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const certificates = tls && {
    key: file('key.pem', tls.key),
    certificate: file('cert.pem', tls.cert),
    ...(tls.clients === undefined ? {} : { clientcas: [file('clients.pem', tls.clients)] }),
  };
  const http = {
    addr: address,
    ...(secret === undefined ? {} : { secret }),
    ...(certificates === undefined ? {} : { tls: certificates }),
  };
  const auth = {
    ...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: file('htpasswd', htpasswd) } } }),
    ...(token === undefined ? {} : { auth: { token } }),
  };
  const storage = { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } };
  const validation = allowUrls === true ? { validation: { manifests: { urls: { allow: ['^https?://'] } } } } : {};
  const log = { level: 'info', formatter: 'json' };
  // JSON is YAML.
  return JSON.stringify({ version: 0.1, log, storage, http, ...auth, ...validation });
}

function run(name: string, configuration: string): Promise<Running> {
  const child = spawn(program(name) ?? name, ['serve', configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Distribution 3 sends traces to a collector unless it is told not to.
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      if (said.length < 65536) said += chunk.toString();
      const address = /listening on (127\.0\.0\.1:[0-9]+)/.exec(said)?.[1];
      if (address !== undefined) resolve({ process: child, host: address });
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${name} did not start: ${said}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
