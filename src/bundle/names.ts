import { DrayError } from '../errors.ts';

/** Names of files and directories of a bundle: lower case, at most 64 characters, unique without case (docs/format.md, "Names"). */

export const BUNDLE_JSON = 'bundle.json';
export const READ_ME = 'READ-ME.txt';
export const SUMS = 'SHA256SUMS';

export interface BundleId {
  readonly name: string;
  readonly sequence: number;
}

export function bundleLabel({ name, sequence }: BundleId): string {
  return `${name}-${sequence}`;
}

/** The directory of one medium: `retriever-42-1of3`. */
export function mediumDirectory(id: BundleId, medium: number, of: number): string {
  return `${bundleLabel(id)}-${medium}of${of}`;
}

/** `retriever-42.v0001`, before `.tar`, `.pieces` and `.chunks`. */
export function volumeStem(id: BundleId, volume: number): string {
  return `${bundleLabel(id)}.v${String(volume).padStart(4, '0')}`;
}

export function signatureFile(number: number): string {
  return `bundle.json.${number}.sigstore.json`;
}

const SIGNATURE = /^bundle\.json\.([1-9][0-9]?)\.sigstore\.json$/;

/** The number of a signature file; undefined for any other name. */
export function signatureNumber(file: string): number | undefined {
  const number = SIGNATURE.exec(file)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** `--bundle NAME-SEQ`. @throws `usage` */
export function parseBundleLabel(text: string): BundleId {
  const match = /^(.+)-([1-9][0-9]*)$/.exec(text);
  if (match?.[1] === undefined)
    throw new DrayError('usage', `--bundle ${JSON.stringify(text)}: expected NAME-SEQ, for example retriever-42`);
  return { name: match[1], sequence: Number(match[2]) };
}
