import type { VerifyResult } from '../../actions/results.ts';
import { bundleLines } from '../artifacts.ts';
import type { KnownKey } from '../artifacts.ts';
import { askOf, demandTrust, mediaOptionsOf } from '../enclave.ts';
import { describeMissing, failureOf } from '../findings.ts';
import { formatFindings } from '../report.ts';
import { countOf, sizeOf } from '../page.ts';
import type { Page } from '../page.ts';
import type { Run } from '../verb.ts';

export const run: Run = async (call) => {
  const { given } = call;
  const { verify } = await import('../../actions/verify.ts');
  const { policy } = await demandTrust(call);
  const partial = given.partial === true;
  const asking = partial ? {} : askOf(call);
  const result = await verify({ ...mediaOptionsOf(call), policy, partial, quick: given.quick === true, ...asking });
  const failure = failureOf(result.findings, partial ? [] : result.missing);
  return {
    result,
    failure,
    text: (page) => describe(result, { quick: given.quick === true, keys: policy.keys }, page),
  };
};

interface Asked {
  readonly quick: boolean;
  readonly keys: readonly KnownKey[];
}

function describe({ bundle, findings, checked, missing }: VerifyResult, { quick, keys }: Asked, page: Page): string {
  const depth = quick
    ? 'metadata, sizes and signatures'
    : `${sizeOf(checked.bytes)}, ${countOf(checked.blobs, 'blob')}`;
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const verdict = errors === 0 ? page.bold('all is well') : page.red(`${countOf(errors, 'error')} found`);
  const absent = missing.length === 0 ? '' : `not looked at: ${describeMissing(missing)}\n`;
  const head = bundleLines(bundle, page, { unverified: 'not signed as demanded', keys });
  const looked = `${countOf(checked.media.length, 'medium', 'media')}, ${depth}`;
  return `${head}${formatFindings(findings, page)}${absent}${looked}: ${verdict}\n`;
}
