import { resolve } from 'node:path';
import type { KeygenOptions } from '../../actions/keygen.ts';
import { DrayError } from '../../errors.ts';
import { shortDigest } from '../page.ts';
import type { Call, Run } from '../verb.ts';
import { shownPath } from '../words.ts';

export const run: Run = async (call) => {
  const { given, io, words } = call;
  const { keygen } = await import('../../actions/keygen.ts');
  const passphrase = await passphraseOf(call);
  const options: KeygenOptions = {
    prefix: resolve(io.cwd, words[0] ?? ''),
    type: given.type === 'ed25519' ? 'ed25519' : 'p256',
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  const result = await keygen(options);
  const said = `${result.completed ? 'was there already; ' : ''}${passphrase === undefined ? 'not encrypted; ' : ''}`;
  const text = (): string =>
    `${shownPath(io, result.privateKey)}  ${said}keep it here, and keep it secret\n` +
    `${shownPath(io, result.publicKey)}  for every enclave; compare its id there: ${shortDigest(result.keyId)}\n`;
  return { result, text };
};

/** Undefined only where `--no-password` says so. */
async function passphraseOf({ given, io, prompts }: Call): Promise<string | undefined> {
  if (given.noPassword === true) return undefined;
  const fixed = io.env['DRAY_KEY_PASSWORD'] ?? '';
  if (fixed !== '') return fixed;
  if (prompts !== undefined) return prompts.passphrase('passphrase for the new key: ', true);
  throw new DrayError(
    'usage',
    'keygen: expected a passphrase or --no-password, found neither, and no terminal to ask',
    {
      hint: 'set DRAY_KEY_PASSWORD, or say --no-password',
    },
  );
}
