import { describe, expect, it } from 'vitest';
import { DrayError } from '../../src/errors.ts';
import type { Kind } from '../../src/oci/kinds.ts';
import { neededSignatures, requirePolicy } from '../../src/signing/requirement.ts';
import { checkSignatures } from '../../src/signing/signature-check.ts';
import type { Policy } from '../../src/signing/signing.ts';
import { BUNDLE_DIGEST, edited, person, signed, trusting } from './support.ts';
import { digestOf } from '../../src/oci/digest.ts';

const [release, security, stranger] = [person('release'), person('security', 'ed25519'), person('stranger')];
const both = (threshold: number, more: Partial<Policy> = {}): Policy =>
  trusting([release, security], { threshold, ...more });
const short = ({ signer }: typeof release): string => signer.keyId.slice(7, 19);
const TRUSTED = `trusted here: release.pub (id ${short(release)}), security.pub (id ${short(security)})`;

/** What is said about a bundle with these signature files; undefined where the policy holds. */
async function said(
  texts: readonly string[],
  policy: Policy,
  kinds: readonly Kind[] = [],
): Promise<DrayError | undefined> {
  const result = await checkSignatures(
    texts.map((text, index) => ({ name: `${index + 1}.json`, text })),
    BUNDLE_DIGEST,
    policy,
  );
  try {
    requirePolicy(result, policy, kinds);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(DrayError);
    expect((error as DrayError).exit).toBe(10);
    return error as DrayError;
  }
}

describe('a policy that holds', () => {
  it('is silent', async () => {
    expect(await said([await signed(release)], both(1))).toBeUndefined();
    expect(await said([await signed(release), await signed(security)], both(2))).toBeUndefined();
  });

  it('does not mind signatures that do not count beside those that do', async () => {
    expect(
      await said(['{', await signed(stranger), await signed(release), await signed(release)], both(1)),
    ).toBeUndefined();
  });
});

describe('a policy that does not', () => {
  it('unsigned', async () => {
    expect(await said([], both(1))).toMatchObject({
      message: `bundle.json: expected a valid signature by a trusted key, found no signature file: the bundle is not signed; ${TRUSTED}`,
      hint: expect.stringContaining('dray sign') as string,
    });
  });

  it('a foreign key', async () => {
    expect(await said([await signed(stranger)], both(1))).toMatchObject({
      message: `bundle.json: expected a valid signature by a trusted key, found 0 valid; 1.json: made with a key that is not trusted here (id ${short(stranger)}, it says); ${TRUSTED}`,
      hint: expect.stringContaining('telephone') as string,
    });
  });

  it('too few signers', async () => {
    expect(await said([await signed(security)], both(2))).toMatchObject({
      message: `bundle.json: expected valid signatures by 2 different trusted keys, found 1 valid, by security.pub (id ${short(security)}); ${TRUSTED}`,
      hint: expect.stringMatching(/^1 more person signs .*--signature FILE/) as string,
    });
  });

  it('one key twice', async () => {
    expect(await said([await signed(release), await signed(release)], both(2))).toMatchObject({
      message: expect.stringContaining('found 1 valid, by release.pub') as string,
      hint: expect.stringContaining('count as one') as string,
    });
  });

  it('a damaged signature file', async () => {
    const damaged = edited(
      await signed(release),
      (bundle) => (bundle.dsseEnvelope.payload = `A${bundle.dsseEnvelope.payload.slice(1)}`),
    );
    expect(await said([damaged], both(1))).toMatchObject({
      message: expect.stringContaining(
        `1.json: is damaged: it claims release.pub (id ${short(release)}), which did not sign this content`,
      ) as string,
      hint: expect.stringContaining('copy the signature file') as string,
    });
  });

  it('a signature over other content', async () => {
    expect(await said([await signed(release, digestOf('other'))], both(1))).toMatchObject({
      message: expect.stringContaining('1.json: signs another bundle.json') as string,
      hint: expect.stringContaining('changed after it was signed') as string,
    });
  });

  it('a revoked key', async () => {
    expect(await said([await signed(security)], trusting([release], { revoked: [security.trusted] }))).toMatchObject({
      message: expect.stringContaining('1.json: made with the revoked key security.pub') as string,
      hint: expect.stringContaining('still trusted') as string,
    });
  });
});

describe('kinds that ask for more', () => {
  const policy = both(1, { require: { models: 2 } });

  it('raise the threshold where the bundle holds them, and the message says so', async () => {
    const one = [await signed(release)];
    expect(await said(one, policy, ['images', 'charts'])).toBeUndefined();
    expect((await said(one, policy, ['images', 'models']))?.message).toContain(
      'expected valid signatures by 2 different trusted keys (it holds models)',
    );
    expect(await said([...one, await signed(security)], policy, ['models'])).toBeUndefined();
  });

  it('never lower it, nor below one, and no name of a prototype counts', () => {
    expect(neededSignatures(both(2, { require: { models: 1 } }), ['models'])).toBe(2);
    expect(neededSignatures(both(0), [])).toBe(1);
    expect(neededSignatures(both(1), ['constructor' as Kind])).toBe(1);
  });
});
