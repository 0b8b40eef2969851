#!/usr/bin/env node
import { setMaxListeners } from 'node:events';
import { homedir } from 'node:os';
import { asDrayError, DrayError } from '../errors.ts';
import { main } from './run.ts';

/** The process: its streams, its signals, its end. Everything else is `main` in run.ts. */

const stopping = new AbortController();
setMaxListeners(0, stopping.signal);

function stop(code: 'interrupted' | 'terminated'): void {
  const reason = new DrayError(code, code);
  if (stopping.signal.aborted) process.exit(reason.exit);
  stopping.abort(reason);
}

process.on('SIGINT', () => stop('interrupted'));
process.on('SIGTERM', () => stop('terminated'));
// A fault that nobody caught still ends with a line, a status and the one document of --json.
process.on('uncaughtException', (fault) => {
  if (stopping.signal.aborted) process.exit(1);
  stopping.abort(asDrayError(fault));
});
// `dray inspect | head` closes its end early: that is no error, and no reason to stop working.
let lost: Error | undefined;
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') lost ??= error;
  });

const status = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  home: homedir(),
  systemSite: '/etc/dray/site.yaml',
  pid: process.pid,
  signal: stopping.signal,
  now: () => new Date(),
});
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((written) => stream.write('', written))),
);
if (lost !== undefined) process.stderr.write(`dray: the output could not be written: ${lost.message}\n`);
process.exit(status === 0 && lost !== undefined ? 1 : status);
