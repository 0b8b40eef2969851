import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { installed } from './run.mjs';

/** A port of 127.0.0.1 that nobody listens on. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts a registry (`docker-registry` 2.8, or `registry`, distribution v3) over a directory. Answers how to stop it. */
export function startRegistry(program, root, port) {
  mkdirSync(root, { recursive: true });
  const configuration = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: root }, cache: { blobdescriptor: 'inmemory' } },
    http: { addr: `127.0.0.1:${port}`, secret: 'bench' },
  };
  const file = `${root}.yml`;
  writeFileSync(file, JSON.stringify(configuration));
  return started(program, ['serve', file], `http://127.0.0.1:${port}/v2/`);
}

/** Whoever may look into the loopback S3 server. */
export const S3_LOGIN = {
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench-secret',
  AWS_DEFAULT_REGION: 'us-east-1',
};

/** Starts versitygw over a directory, whose file system has extended attributes: checksums are kept in them. */
export function startVersitygw(root, port) {
  mkdirSync(join(root, 'data'), { recursive: true });
  const login = ['--access', S3_LOGIN.AWS_ACCESS_KEY_ID, '--secret', S3_LOGIN.AWS_SECRET_ACCESS_KEY];
  const words = [...login, '--port', `127.0.0.1:${port}`, '--quiet', 'posix', join(root, 'data')];
  return started('versitygw', words, `http://127.0.0.1:${port}/`);
}

/** Starts SeaweedFS with S3 over a directory. */
export function startSeaweed(root, port) {
  mkdirSync(root, { recursive: true });
  const words = ['server', '-ip=127.0.0.1', `-dir=${root}`, '-s3', `-s3.port=${port}`, '-volume.max=50'];
  return started('weed', words, `http://127.0.0.1:${port}/`);
}

/** Starts a proxy that answers so many milliseconds later than the server behind it. */
export function startLatency(port, target, milliseconds) {
  return startScript('latency-proxy.mjs', [port, target, milliseconds], `http://127.0.0.1:${port}/`);
}

/** Starts a server of this directory. */
export function startScript(script, words, url) {
  return started(process.execPath, [join(import.meta.dirname, script), ...words.map(String)], url);
}

function started(program, words, url) {
  const child = spawn(installed(program) ?? program, words, { stdio: 'ignore' });
  // Whatever it answers, it is there.
  const up = [
    '-s',
    '-o',
    '/dev/null',
    '--retry',
    '50',
    '--retry-connrefused',
    '--retry-delay',
    '0',
    '--retry-max-time',
    '20',
    url,
  ];
  if (spawnSync('curl', up).status !== 0) throw new Error(`${program}: did not begin to listen at ${url}`);
  return () => child.kill('SIGKILL');
}
