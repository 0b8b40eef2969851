import { createPrivateKey, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { KEY_TYPES } from '../../src/signing/key-pair.ts';
import { checkSignatures } from '../../src/signing/signature-check.ts';
import type { SignatureCheck } from '../../src/signing/signature-check.ts';
import type { Policy } from '../../src/signing/signing.ts';
import { PAYLOAD_TYPE } from '../../src/signing/statement.ts';
import { BUNDLE_DIGEST, edited, person, preAuthEncoding, signed, trusting } from './support.ts';
import type { Person, SigstoreJson } from './support.ts';

const [release, security, stranger] = [person('release'), person('security', 'ed25519'), person('stranger')];
const NAMES = [1, 2, 3].map((number) => `bundle.json.${number}.sigstore.json`);

function check(texts: readonly string[], policy: Policy): Promise<SignatureCheck> {
  return checkSignatures(
    texts.map((text, index) => ({ name: NAMES[index]!, text })),
    BUNDLE_DIGEST,
    policy,
  );
}

async function verdictOn(text: string, policy = trusting([release, security])): Promise<unknown> {
  const { accepted, rejected } = await check([text], policy);
  expect(accepted.length + rejected.length).toBe(1);
  return accepted[0] ?? rejected[0];
}

/** Signs any payload under any type, as an attacker or another tool with the key would. */
function forged({ privatePem, signer }: Person, payload: string, type = PAYLOAD_TYPE): SigstoreJson {
  const key = createPrivateKey(privatePem);
  const bytes = Buffer.from(payload);
  const sig = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', preAuthEncoding(type, bytes), key).toString(
    'base64',
  );
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: Buffer.from(signer.keyId.slice(7), 'hex').toString('base64') } },
    dsseEnvelope: { payload: bytes.toString('base64'), payloadType: type, signatures: [{ sig, keyid: '' }] },
  };
}

describe('what is signed', () => {
  it.each(KEY_TYPES)(
    'with %s is a v0.3 bundle on one line: one signature, no keyid, the hint outside the envelope',
    async (type) => {
      const author = person('author', type);
      const text = await signed(author);
      expect(text).toMatch(/^[^\n]*\n$/);
      const bundle = JSON.parse(text) as SigstoreJson;
      expect(bundle.mediaType).toBe('application/vnd.dev.sigstore.bundle.v0.3+json');
      expect(bundle.verificationMaterial.publicKey?.hint).toBe(
        Buffer.from(author.signer.keyId.slice(7), 'hex').toString('base64'),
      );
      expect(bundle.dsseEnvelope.signatures.map(({ keyid }) => keyid ?? '')).toEqual(['']);
      expect(bundle.dsseEnvelope.payloadType).toBe('application/vnd.in-toto+json');
      expect(JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString())).toEqual({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ name: 'bundle.json', digest: { sha256: BUNDLE_DIGEST.slice(7) } }],
        predicateType: 'https://drayage.dev/bundle/v1',
        predicate: { name: 'retriever', sequence: 42 },
      });
    },
  );
});

describe('accepted', () => {
  it.each(KEY_TYPES)('a %s signature, under the name of its file', async (type) => {
    const author = person('author', type);
    expect(await verdictOn(await signed(author), trusting([author]))).toEqual({
      keyId: author.signer.keyId,
      file: NAMES[0],
    });
  });

  it('two people', async () => {
    const { accepted, rejected } = await check(
      [await signed(security), await signed(release)],
      trusting([release, security]),
    );
    expect(accepted).toEqual([
      { keyId: security.signer.keyId, file: NAMES[0] },
      { keyId: release.signer.keyId, file: NAMES[1] },
    ]);
    expect(rejected).toEqual([]);
  });

  it.each(['', 'not base64!', 'release-2026', Buffer.alloc(32).toString('base64')])(
    'with the hint %j, which names no key known here',
    async (hint) => {
      const text = edited(await signed(security), (bundle) => (bundle.verificationMaterial.publicKey = { hint }));
      expect(await verdictOn(text)).toMatchObject({ keyId: security.signer.keyId });
    },
  );

  it('with log entries and times that nobody here could check: the key is enough', async () => {
    const text = edited(await signed(release), (bundle) => {
      const entry = {
        logIndex: '1',
        logId: { keyId: 'AAAA' },
        kindVersion: { kind: 'dsse', version: '0.0.1' },
        integratedTime: '1',
      };
      const inclusionProof = {
        logIndex: '1',
        rootHash: 'AAAA',
        treeSize: '2',
        hashes: [],
        checkpoint: { envelope: 'x' },
      };
      const times = { rfc3161Timestamps: [{ signedTimestamp: 'AAAA' }] };
      Object.assign(bundle.verificationMaterial, {
        tlogEntries: [{ ...entry, inclusionProof }],
        timestampVerificationData: times,
      });
    });
    expect(await verdictOn(text)).toMatchObject({ keyId: release.signer.keyId });
  });
});

describe('counted once', () => {
  it('the same key in two files', async () => {
    const { accepted, rejected } = await check(
      [await signed(release), await signed(release)],
      trusting([release, security]),
    );
    expect(accepted).toEqual([{ keyId: release.signer.keyId, file: NAMES[0] }]);
    expect(rejected).toEqual([
      { name: NAMES[1], cause: 'same-key', reason: `made with the same key as ${NAMES[0]}, which counts once` },
    ]);
  });

  it('the same key under another hint', async () => {
    const other = edited(
      await signed(release),
      (bundle) => (bundle.verificationMaterial.publicKey = { hint: 'somebody-else' }),
    );
    const { accepted } = await check([await signed(release), other], trusting([release, security]));
    expect(accepted).toHaveLength(1);
  });
});

describe('rejected', () => {
  it('a key nobody trusts', async () => {
    expect(await verdictOn(await signed(stranger))).toMatchObject({
      cause: 'foreign-key',
      reason: expect.stringContaining(`id ${stranger.signer.keyId.slice(7, 19)}, it says`) as string,
    });
  });

  it('a key nobody trusts that claims a trusted one', async () => {
    const hint = Buffer.from(release.signer.keyId.slice(7), 'hex').toString('base64');
    const text = edited(await signed(stranger), (bundle) => (bundle.verificationMaterial.publicKey = { hint }));
    expect(await verdictOn(text)).toMatchObject({ cause: 'damaged' });
  });

  it('a revoked key, whatever the hint says', async () => {
    const policy = trusting([release], { revoked: [security.trusted] });
    const text = await signed(security);
    expect(await verdictOn(text, policy)).toMatchObject({
      cause: 'revoked-key',
      reason: expect.stringContaining('security.pub') as string,
    });
    expect(
      await verdictOn(
        edited(text, (bundle) => (bundle.verificationMaterial.publicKey = { hint: '' })),
        policy,
      ),
    ).toMatchObject({ cause: 'revoked-key' });
  });

  it('a key that is revoked and trusted at once', async () => {
    const policy = trusting([release], { revoked: [release.trusted] });
    expect(await verdictOn(await signed(release), policy)).toMatchObject({ cause: 'revoked-key' });
  });

  it('another bundle.json', async () => {
    const other = digestOf('another');
    expect(await verdictOn(await signed(release, other))).toMatchObject({
      cause: 'other-content',
      reason: `signs another bundle.json (${other}, this is ${BUNDLE_DIGEST})`,
    });
  });

  const subject = [{ name: 'bundle.json', digest: { sha256: BUNDLE_DIGEST.slice(7) } }];
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject,
    predicateType: 'https://drayage.dev/bundle/v1',
    predicate: {},
  };

  it('nothing of a statement that is right (so the next test can fail)', async () => {
    expect(await verdictOn(JSON.stringify(forged(release, JSON.stringify(statement))))).toMatchObject({
      keyId: release.signer.keyId,
    });
  });

  it.each([
    ['statement type', { ...statement, _type: 'https://in-toto.io/Statement/v0.1' }],
    ['predicate type', { ...statement, predicateType: 'https://slsa.dev/provenance/v1' }],
    ['subject name', { ...statement, subject: [{ ...subject[0], name: 'other.json' }] }],
    ['no subject', { ...statement, subject: [] }],
    ['two subjects', { ...statement, subject: [...subject, ...subject] }],
    ['no sha256', { ...statement, subject: [{ name: 'bundle.json', digest: { sha512: 'a'.repeat(128) } }] }],
    [
      'upper-case digest',
      { ...statement, subject: [{ name: 'bundle.json', digest: { sha256: BUNDLE_DIGEST.slice(7).toUpperCase() } }] },
    ],
    ['no object', []],
  ])('a statement with wrong: %s', async (_, content) => {
    const text = JSON.stringify(forged(release, JSON.stringify(content)));
    expect(await verdictOn(text)).toMatchObject({
      cause: 'other-content',
      reason: expect.stringContaining('no statement about a bundle.json') as string,
    });
  });

  it('a payload type other than in-toto, rightly signed', async () => {
    const text = JSON.stringify(forged(release, JSON.stringify(statement), 'application/json'));
    expect(await verdictOn(text)).toMatchObject({ cause: 'other-content' });
  });

  it('every single changed character', async () => {
    const text = await signed(security);
    const policy = trusting([security]);
    for (let index = 0; index < text.length; index += 1) {
      const changed = text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1);
      const { accepted } = await check([changed], policy);
      // What the hint or an unused field says changes nothing: the key, the signature and the payload are what counts.
      if (accepted.length > 0) expect(signedContent(changed)).toEqual(signedContent(text));
    }
  });

  it.each<[string, (bundle: SigstoreJson) => void]>([
    [
      'a payload',
      (bundle) =>
        (bundle.dsseEnvelope.payload = Buffer.from(JSON.stringify({ ...statement, predicate: { name: 'x' } })).toString(
          'base64',
        )),
    ],
    ['a payload type', (bundle) => (bundle.dsseEnvelope.payloadType = 'application/json')],
    ['a signature', (bundle) => (bundle.dsseEnvelope.signatures[0]!.sig = Buffer.alloc(70, 1).toString('base64'))],
    ['two signatures', (bundle) => bundle.dsseEnvelope.signatures.push(bundle.dsseEnvelope.signatures[0]!)],
    ['no signature', (bundle) => (bundle.dsseEnvelope.signatures = [])],
    ['an empty payload', (bundle) => (bundle.dsseEnvelope.payload = '')],
    ['a keyid that is not the hint', (bundle) => (bundle.dsseEnvelope.signatures[0]!.keyid = 'SHA256:abc')],
    ['an older media type', (bundle) => (bundle.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.2')],
    ['a certificate', (bundle) => (bundle.verificationMaterial = { certificate: { rawBytes: 'AAAA' } })],
    ['no key', (bundle) => (bundle.verificationMaterial = {})],
  ])('a file with %s put in', async (_, edit) => {
    expect(await verdictOn(edited(await signed(release), edit))).toMatchObject({ cause: 'damaged' });
  });

  it.each(['', '{', 'null', '[]', '{}', '[['.repeat(200_000), '{"mediaType":{"a":1}}', 'x'.repeat(1024 * 1024 + 1)])(
    '%.20s, which is no signature file',
    async (text) => {
      expect(await verdictOn(text)).toMatchObject({ cause: 'damaged' });
    },
  );

  it('terminal escapes in what a file says', async () => {
    const text = edited(await signed(release), (bundle) => (bundle.dsseEnvelope.signatures[0]!.keyid = '\u001b[2J'));
    expect(await verdictOn(text)).toMatchObject({
      reason: expect.stringMatching(/names two keys, \\u001b\[2J and/) as string,
    });
  });
});

describe('limits', () => {
  it('sixteen files are read, seventeen are refused before any is', async () => {
    const text = await signed(release);
    const files = Array.from({ length: 17 }, (_, index) => ({ name: `bundle.json.${index + 1}.sigstore.json`, text }));
    expect((await checkSignatures(files.slice(0, 16), BUNDLE_DIGEST, trusting([release]))).accepted).toHaveLength(1);
    await expect(checkSignatures(files, BUNDLE_DIGEST, trusting([release]))).rejects.toMatchObject({
      code: 'not-signed',
      message: 'bundle.json: expected at most 16 signature files, found 17',
    });
  });
});

function signedContent(text: string): unknown {
  const { payload, payloadType, signatures } = (JSON.parse(text) as SigstoreJson).dsseEnvelope;
  return [
    Buffer.from(payload, 'base64').toString(),
    payloadType,
    Buffer.from(signatures[0]!.sig, 'base64').toString('hex'),
  ];
}
