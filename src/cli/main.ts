#!/usr/bin/env node
import { setMaxListeners } from 'node:events';
import { homedir } from 'node:os';
import { asDrayError, DrayError } from '../errors.ts';
import { GRACE, main } from './run.ts';

/** The process: its streams, its signals, its end. Everything else is `main` in run.ts. */

const SIGNALS = { SIGINT: 'interrupted', SIGTERM: 'terminated' } as const;
const stopping = new AbortController();
setMaxListeners(0, stopping.signal);
let stopped: { readonly by: keyof typeof SIGNALS; readonly at: number } | undefined;

for (const by of ['SIGINT', 'SIGTERM'] as const)
  process.on(by, () => {
    const reason = new DrayError(SIGNALS[by], SIGNALS[by]);
    if (stopped !== undefined) end(reason.exit);
    stopped = { by, at: Date.now() };
    stopping.abort(reason);
  });
// A fault that nobody caught still ends with a line, a status and the one document of --json.
process.on('uncaughtException', (fault) => {
  if (stopping.signal.aborted) end(1);
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
end(status === 0 && lost !== undefined ? 1 : status);

/**
 * Node waits at its end for file operations that the kernel holds, on a dead network mount for ever. Where the verb did not
 * stop in time that is what it hangs on: then the signal itself ends the process, which a shell sees as the same status.
 */
function end(exit: number): never {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(signal);
  if (stopped !== undefined && Date.now() - stopped.at >= GRACE) process.kill(process.pid, stopped.by);
  process.exit(exit);
}
