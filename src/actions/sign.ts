import { addSignature } from '../bundle/medium-writer.ts';
import { signatureFile, signatureNumber } from '../bundle/names.ts';
import { atomicWrite } from '../io/atomic-write.ts';
import { openUntrusted } from './open.ts';
import type { SignOptions } from './options.ts';
import type { BundleSummary } from './results.ts';
import { bundleSummary } from './summaries.ts';

export interface SignResult {
  readonly bundle: BundleSummary;
  /** Files written. */
  readonly written: readonly string[];
}

/**
 * Adds a signature to a packed bundle: to every medium given, or to a file of its own for media that are burnt already.
 * Whoever signs has looked at what they sign; nothing is verified here but that it is one bundle.
 */
export async function sign(options: SignOptions): Promise<SignResult> {
  const bundle = await openUntrusted(options);
  const { index, digest, media } = bundle;
  const text = await options.signer.sign({ digest, name: index.name, sequence: index.sequence });
  const summary = bundleSummary({ index, digest, signers: [options.signer.keyId] }, false);
  if (options.to !== undefined) {
    await atomicWrite(options.to, text);
    return { bundle: summary, written: [options.to] };
  }
  const number =
    Math.max(0, ...media.flatMap(({ signatures }) => signatures.map(({ name }) => signatureNumber(name) ?? 0))) + 1;
  const written: string[] = [];
  for (const { directory } of media)
    written.push(`${directory}/${await addSignature(directory, signatureFile(number), text)}`);
  return { bundle: summary, written };
}
