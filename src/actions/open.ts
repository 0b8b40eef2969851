import { readSignature } from '../bundle/medium.ts';
import { openBundle } from '../bundle/reader.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import type { Context } from '../context.ts';
import type { Digest } from '../oci/digest.ts';
import { requirePolicy } from '../signing/requirement.ts';
import { checkSignatures } from '../signing/signature-check.ts';
import type { SignatureCheck } from '../signing/signature-check.ts';
import type { Policy } from '../signing/signing.ts';
import type { MediaOptions } from './options.ts';

/** Opens a bundle that the policy accepts: the general threshold before it is parsed, those of its kinds right after. @throws `not-signed` */
export async function openTrusted(
  { ctx, media, bundle, signatureFiles }: MediaOptions,
  policy: Policy,
): Promise<OpenBundle> {
  const checks = new Map<Digest, SignatureCheck>();
  const opened = await openBundle({
    media,
    ...(bundle === undefined ? {} : { bundle }),
    signatures: signatureFiles.map(readSignature),
    checkSignatures: async (digest, signatures) => {
      const check = await checkSignatures(signatures, digest, policy);
      checks.set(digest, check);
      tellSignatures(check, ctx);
      requirePolicy(check, policy, []);
      return check.accepted.map(({ keyId }) => keyId);
    },
  });
  const check = checks.get(opened.digest) ?? { accepted: [], rejected: [] };
  requirePolicy(check, policy, [...new Set(opened.index.artifacts.map(({ kind }) => kind))]);
  return told(opened, ctx);
}

/** Opens a bundle that nobody vouches for: to look at it, never to deliver from it. */
export async function openUntrusted({ ctx, media, bundle }: MediaOptions): Promise<OpenBundle> {
  const opened = await openBundle({
    media,
    ...(bundle === undefined ? {} : { bundle }),
    signatures: [],
    checkSignatures: () => Promise.resolve([]),
  });
  return told(opened, ctx);
}

function tellSignatures({ accepted, rejected }: SignatureCheck, { report }: Context): void {
  for (const { file, keyId } of accepted)
    report({ type: 'detail', message: `${file}: signed by the trusted key ${keyId}` });
  for (const { name, reason } of rejected) report({ type: 'detail', message: `${name}: does not count: ${reason}` });
}

/** The same bundle, its media and volumes told. */
function told(bundle: OpenBundle, { report }: Context): OpenBundle {
  for (const { name, directory } of bundle.media)
    report({ type: 'detail', message: `${name}: a medium of this bundle, in ${directory}` });
  const { volumes, missing } = bundle;
  report({ type: 'detail', message: `${volumes.length} volumes are here, ${missing.length} are not` });
  return bundle;
}
