import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { parseYaml } from '../../io/yaml/yaml.ts';
import * as z from 'zod';
import type { Digest } from '../../oci/digest.ts';

/** In bytes: a Chart.yaml, a hash and a signature. */
export const PROVENANCE_LIMIT = 1024 * 1024;

const SIGNED = /^-----BEGIN PGP SIGNED MESSAGE-----$/m;
const Sums = z.looseObject({ files: z.record(z.string(), z.string()) });

/** Is it the beginning of a web page, which some servers answer for a file that is not there? */
export function isWebPage(bytes: Uint8Array): boolean {
  return /^[\s\ufeff]*<(?:!doctype|html|\?xml|head|body)/i.test(Buffer.from(bytes.subarray(0, 512)).toString('utf8'));
}

/**
 * Checks that a provenance file is about a package: its clear-signed text names the package's SHA-256 (helm,
 * pkg/provenance/sign.go). Whose signature it is, is for `helm verify` to say, where the keys are.
 * @throws `upstream-invalid`
 */
export function checkProvenance(bytes: Uint8Array, digest: Digest, subject: string): void {
  const refuse = (said: string): never => {
    throw new DrayError('upstream-invalid', `${printable(subject)}: ${said}`, {
      hint: 'tell whoever publishes the chart; its provenance would not verify in the enclave either',
    });
  };
  const text = Buffer.from(bytes).toString('utf8').replaceAll('\r\n', '\n');
  const start = SIGNED.exec(text);
  const end = text.indexOf('\n-----BEGIN PGP SIGNATURE-----');
  if (start === null || end < start.index) return refuse('is no provenance: expected a clear-signed PGP message');
  const [, sums] = text.slice(start.index, end).split('\n...\n');
  if (sums === undefined) return refuse('is no provenance: expected the sums of files behind the metadata');
  const { files } = parseYaml(sums, { file: subject, schema: Sums, code: 'upstream-invalid', aliases: 'bounded' });
  if (Object.values(files).includes(digest)) return;
  const named = Object.entries(files).map(([name, sum]) => `${printable(name)} (${printable(sum)})`);
  refuse(`is about another chart: expected ${digest}, found ${named.join(', ') || 'no file'}`);
}
