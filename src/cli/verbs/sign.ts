import { resolve } from 'node:path';
import { DrayError } from '../../errors.ts';
import { bundleLines } from '../artifacts.ts';
import { openSigners } from '../open.ts';
import type { Run } from '../verb.ts';
import { mediaOptionsOf } from '../enclave.ts';
import { shownPath } from '../words.ts';

export const run: Run = async (call) => {
  const { given, io } = call;
  const { sign } = await import('../../actions/sign.ts');
  const file = given.signingKey ?? io.env['DRAY_KEY'] ?? '';
  if (file === '') throw new DrayError('usage', 'sign: expected --key FILE (or DRAY_KEY), found neither');
  const [signer] = await openSigners(call, [file]);
  if (signer === undefined) throw new DrayError('internal', 'sign: no signer');
  const to = given.signatureTo === undefined ? {} : { to: resolve(io.cwd, given.signatureTo) };
  const result = await sign({ ...mediaOptionsOf(call), signer, ...to });
  const trusted = { unverified: '', keys: [{ keyId: signer.keyId, file }] };
  const written = result.written.map((path) => `wrote ${shownPath(io, path)}\n`).join('');
  return { result, text: (page) => bundleLines({ ...result.bundle, verified: true }, page, trusted) + written };
};
