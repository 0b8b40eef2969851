import type { ArtifactSummary, BundleSummary } from '../actions/results.ts';
import { printable } from './open.ts';
import { countOf, shortDigest, sizeOf } from './page.ts';
import type { Cell, Page } from './page.ts';

/** The columns that artifacts have wherever they are listed. */
export function artifactCells({ kind, name, size, digest }: ArtifactSummary, page: Page): readonly Cell[] {
  return [
    { text: kind },
    { text: name, flexible: true },
    { text: sizeOf(size), right: true },
    { text: shortDigest(digest), style: page.dim },
  ];
}

/** `7 artifacts, 12.3 GB`. */
export function totalOf(artifacts: readonly ArtifactSummary[]): string {
  return `${countOf(artifacts.length, 'artifact')}, ${sizeOf(artifacts.reduce((sum, { size }) => sum + size, 0))}`;
}

/** Two lines: which bundle, and whose word there is for it. */
export function bundleLines(bundle: BundleSummary, page: Page, unverified: string): string {
  const { name, sequence, created, digest, signers, verified } = bundle;
  const keys = signers.map(shortDigest).join(', ');
  const trust = verified ? `signed by ${keys}` : page.yellow(unverified);
  return `${page.bold(printable(`${name}-${sequence}`))}  created ${printable(created)}  ${page.dim(shortDigest(digest))}\n${trust}\n`;
}
