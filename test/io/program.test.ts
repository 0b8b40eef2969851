import { expect, test } from 'vitest';
import { runProgram } from '../../src/io/program.ts';

const options = { environment: { SAID: 'hello' }, limit: 1000, signal: new AbortController().signal };
const node = (script: string, more: object = {}): ReturnType<typeof runProgram> =>
  runProgram(process.execPath, ['-e', script], { ...options, ...more });

test('answers what a program says, in both ways, and how it ended', async () => {
  const script = 'process.stdin.pipe(process.stdout); process.stderr.write(process.env.SAID); process.exitCode = 3';
  expect(await node(script, { input: 'in' })).toEqual({ status: 3, output: 'in', said: 'hello' });
});

test('ends one that says too much', async () => {
  await expect(node('for (;;) process.stdout.write("x".repeat(1000))')).rejects.toMatchObject({
    code: 'io-failed',
    message: expect.stringContaining('says more than 1000 bytes') as string,
  });
});

test('says that one cannot be run', async () => {
  await expect(runProgram('/no/such/program', [], options)).rejects.toMatchObject({ code: 'io-failed' });
});

test('is ended with the signal', async () => {
  const stop = new AbortController();
  const running = node('setInterval(() => {}, 1000)', { signal: stop.signal });
  stop.abort();
  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
});
