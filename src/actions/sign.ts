import { join } from 'node:path';
import { listSignatures } from '../bundle/medium-writer.ts';
import type { Medium } from '../bundle/medium.ts';
import { signatureFile, signatureNumber } from '../bundle/names.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import { atomicWrite } from '../io/disk/atomic-write.ts';
import { checkSignatures } from '../signing/signature-check.ts';
import type { Signer } from '../signing/signing.ts';
import { openUntrusted } from './open.ts';
import type { SignOptions } from './options.ts';
import type { BundleSummary } from './results.ts';
import { bundleSummary } from './summaries.ts';

export interface SignResult {
  readonly bundle: BundleSummary;
  /** Files written; none where the key had signed all these media already. */
  readonly written: readonly string[];
}

/**
 * Adds a signature to a packed bundle: to every medium given, or to a file of its own for media that are burnt already. One
 * key signs once: a signature of it that is on some of the media, from a run that was killed, comes to the others.
 * Whoever signs has looked at what they sign; nothing is verified here but that it is one bundle.
 */
export async function sign(options: SignOptions): Promise<SignResult> {
  const bundle = await openUntrusted(options);
  const { index, digest, media } = bundle;
  const { signer, to } = options;
  const summary = bundleSummary({ index, digest, signers: [signer.keyId] }, false);
  if (to !== undefined) {
    await atomicWrite(to, await signer.sign({ digest, name: index.name, sequence: index.sequence }));
    return { bundle: summary, written: [to] };
  }
  return { bundle: summary, written: await signMedia(media, bundle, signer) };
}

async function signMedia(
  media: readonly Medium[],
  { digest, index: { name, sequence } }: OpenBundle,
  signer: Signer,
): Promise<readonly string[]> {
  const own = await Promise.all(media.map((medium) => ownSignature(medium, signer)));
  const text = own.find((found) => found !== undefined)?.text ?? (await signer.sign({ digest, name, sequence }));
  const number = own.find((found) => found !== undefined)?.number ?? Math.max(...media.map(nextNumber));
  const written: string[] = [];
  for (const [at, medium] of media.entries()) {
    const { directory } = medium;
    if (own[at] === undefined) {
      const free = medium.signatures.every((other) => other.name !== signatureFile(number));
      const path = join(directory, signatureFile(free ? number : nextNumber(medium)));
      await atomicWrite(path, text);
      written.push(path);
    }
    await listSignatures(directory);
  }
  return written;
}

/** The signature that this key made on what the medium holds, if it has one. */
async function ownSignature(
  { signatures, digest }: Medium,
  { keyId, pem }: Signer,
): Promise<{ readonly text: string; readonly number: number } | undefined> {
  const policy = { keys: [{ keyId, pem, file: '' }], threshold: 1, require: {}, revoked: [] };
  const [accepted] = (await checkSignatures(signatures, digest, policy)).accepted;
  const found = signatures.find(({ name }) => name === accepted?.file);
  return found === undefined ? undefined : { text: found.text, number: signatureNumber(found.name) ?? 1 };
}

function nextNumber({ signatures }: Medium): number {
  return Math.max(0, ...signatures.map(({ name }) => signatureNumber(name) ?? 0)) + 1;
}
