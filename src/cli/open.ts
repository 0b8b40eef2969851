import { existsSync } from 'node:fs';
import { dirname, join, parse, resolve } from 'node:path';
import type { EnclaveCopy, EnclaveState, SiteTarget, Workspace } from '../actions/options.ts';
import type { MediaProfile } from '../bundle/media-profile.ts';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { PolicyFiles } from '../signing/policy.ts';
import type { Policy, Signer } from '../signing/signing.ts';
import type { Site, TargetSpec } from '../site/site.ts';
import type { Io } from './io.ts';
import type { Call } from './verb.ts';

/**
 * Words to things: the only place that picks implementations, and the only door of `cli` to the rooms behind the actions.
 * Everything heavy is imported where it is needed.
 */

export { KINDS } from '../oci/kinds.ts';
export { printable };

/** Whole or not there. */
export async function writeFileWhole({ cwd }: Io, path: string, text: string): Promise<void> {
  const { atomicWrite } = await import('../io/atomic-write.ts');
  await atomicWrite(resolve(cwd, path), text);
}

/** `--media`. @throws `usage` */
export async function mediaProfile(text: string | undefined): Promise<MediaProfile> {
  const { parseMediaProfile, UNLIMITED_MEDIUM } = await import('../bundle/media-profile.ts');
  return text === undefined ? UNLIMITED_MEDIUM : parseMediaProfile(text);
}

/** Private keys, opened: with `DRAY_KEY_PASSWORD` where they are encrypted, else with what the person at the terminal says. */
export async function openSigners({ io, prompts }: Call, files: readonly string[]): Promise<readonly Signer[]> {
  const [{ openSigner }, { isEncrypted, readKeyFile }] = await Promise.all([
    import('../signing/signer.ts'),
    import('../signing/key-file.ts'),
  ]);
  const fixed = io.env['DRAY_KEY_PASSWORD'] ?? '';
  const signers: Signer[] = [];
  for (const word of files) {
    const file = resolve(io.cwd, word);
    const pem = await readKeyFile(file);
    const asked =
      isEncrypted(pem) && fixed === '' ? await prompts?.passphrase(`passphrase of ${printable(word)}: `, false) : fixed;
    signers.push(openSigner(pem, { file, ...(asked === undefined || asked === '' ? {} : { passphrase: asked }) }));
  }
  return signers;
}

export async function loadPolicy(files: PolicyFiles): Promise<Policy> {
  return (await import('../signing/policy.ts')).loadPolicy(files);
}
