import { basename } from 'node:path';
import type { ArtifactSummary, BundleSummary } from '../actions/results.ts';
import { printable } from '../io/safe-path.ts';
import { countOf, shortDigest, sizeOf, table } from './page.ts';
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

/** What was signed upstream and is not what is delivered: a line for each artifact that has such parts, or none. */
export function noLongerApply(artifacts: readonly ArtifactSummary[], page: Page): string {
  const rows = artifacts.flatMap(({ name, parts }) => {
    const lost = parts.filter(({ note }) => note !== undefined).length;
    if (lost === 0) return [];
    const which =
      lost === parts.length ? countOf(lost, 'signature') : `${lost} of ${countOf(parts.length, 'signature')}`;
    return [
      [
        { text: 'no longer apply', style: page.yellow },
        { text: which, right: true },
        { text: name, flexible: true },
      ],
    ];
  });
  return table(page, rows);
}

/** `7 artifacts, 12.3 GB`. */
export function totalOf(artifacts: readonly ArtifactSummary[]): string {
  return `${countOf(artifacts.length, 'artifact')}, ${sizeOf(artifacts.reduce((sum, { size }) => sum + size, 0))}`;
}

/** A key that has a file here, for people. */
export interface KnownKey {
  readonly keyId: string;
  readonly file: string;
}

export interface Trusted {
  /** What is said where nobody's word counts. */
  readonly unverified: string;
  readonly keys: readonly KnownKey[];
}

/** Two lines: which bundle, and whose word there is for it. */
export function bundleLines(bundle: BundleSummary, page: Page, { unverified, keys }: Trusted): string {
  const { name, sequence, created, digest, signers, verified } = bundle;
  const nameOf = (signer: string): string => {
    const file = keys.find(({ keyId }) => keyId === signer)?.file;
    return file === undefined ? shortDigest(signer) : `${printable(basename(file))} (${shortDigest(signer)})`;
  };
  const trust = verified ? `signed by ${signers.map(nameOf).join(', ')}` : page.yellow(unverified);
  const title = page.bold(printable(`${name}-${sequence}`));
  return `${title}  created ${printable(created)}  ${page.dim(shortDigest(digest))}\n${trust}\n`;
}
