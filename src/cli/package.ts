import { readFileSync } from 'node:fs';

interface Package {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function draysVersion(): string {
  return ownPackage().version;
}

/** The oldest Node that dray runs on. */
export function nodeMinimum(): string {
  return ownPackage().engines.node.replace(/^>=/, '');
}

function ownPackage(): Package {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Package;
}
