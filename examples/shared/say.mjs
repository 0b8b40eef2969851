import { relative } from 'node:path';

/** A path as it is typed from here. */
export function fromHere(path) {
  const below = relative(process.cwd(), path);
  return below === '' || below.startsWith('..') ? path : below;
}

/** The heading of a step. */
export function say(text) {
  print(`\n== ${text}`);
}

export function print(text) {
  process.stdout.write(`${text}\n`);
}

/** Ends the example, with status 1. */
export function stop(why) {
  process.stderr.write(`demo: ${why}\n`);
  process.exit(1);
}
