import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { greeterImage } from './image.mjs';
import { tinyModel } from './model.mjs';
import { wheel } from './wheel.mjs';

const PYTHON = join(import.meta.dirname, '..', 'python');

/**
 * Builds what the example carries besides the chart and the handbook: the same bytes each time, with nothing but Node.
 * @param {string} directory made where it is missing
 * @returns {readonly {path: string, is: string, bytes: number}[]} what was built, paths below the directory
 */
export function buildCargo(directory) {
  const built = [
    { path: 'greeter.tar', is: 'a container image for amd64 and arm64', content: greeterImage() },
    ...wheels().map(({ file, content }) => ({ path: `wheels/${file}`, is: 'a Python wheel', content })),
    ...tinyModel().map(({ name, content }) => ({ path: `tiny-random-llama/${name}`, is: 'part of a model', content })),
    { path: 'primes.txt', is: 'a file', content: Buffer.from(`${primesBelow(200_000).join('\n')}\n`) },
  ];
  for (const { path, content } of built) {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  return built.map(({ path, is, content }) => ({ path, is, bytes: content.length }));
}

function wheels() {
  return [
    wheel({
      directory: PYTHON,
      package: 'hello_tensors',
      version: '1.0.0',
      summary: 'Reads headers of safetensors files',
    }),
    wheel({
      directory: PYTHON,
      package: 'hello_greeter',
      version: '1.0.0',
      summary: 'Says hello from a model directory',
      requires: ['hello-tensors>=1.0'],
      script: 'hello-greeter',
    }),
  ];
}

/** The sieve of Eratosthenes. */
function primesBelow(limit) {
  const composite = new Uint8Array(limit);
  const primes = [];
  for (let number = 2; number < limit; number++) {
    if (composite[number]) continue;
    primes.push(number);
    for (let multiple = number * number; multiple < limit; multiple += number) composite[multiple] = 1;
  }
  return primes;
}
