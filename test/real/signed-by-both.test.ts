import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workDirectory } from '../cli/harness.ts';
import { must, run } from '../support/cli.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import type { DockerRegistry } from '../support/docker-registry.ts';
import { manifest, workplace } from '../support/enclave.ts';
import { image, index } from '../support/images.ts';
import { missing } from '../support/programs.ts';
import { pushBuilt } from '../support/push.ts';

/** A publisher and an enclave sign one image with the real cosign, in any order: the signatures of both verify, and stay. */

const lacking = missing('docker-registry', 'registry', 'cosign');
const both = index([
  { image: image({ layers: ['amd64'] }), platform: 'linux/amd64' },
  { image: image({ platform: 'linux/arm64', layers: ['arm64'] }), platform: 'linux/arm64' },
]);
const DIGEST = both.root.descriptor.digest;
const OLD = ['--use-signing-config=false', '--tlog-upload=false', '--new-bundle-format=false'];
const FRESH = ['--signing-config', 'services.json'];
const NO_SERVICES =
  '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}';
const SIGNERS = ['publisher', 'second', 'enclave', 'auditor', 'nobody'] as const;
type Signer = (typeof SIGNERS)[number];

describe.skipIf(lacking !== '')(`signed upstream and in the enclave${lacking}`, () => {
  const home = workDirectory();
  const env = { COSIGN_PASSWORD: '', HOME: home, TUF_ROOT: join(home, 'tuf') };
  let upstream: DockerRegistry;
  beforeAll(async () => {
    mkdirSync(home, { recursive: true });
    upstream = await startDockerRegistry();
    writeFileSync(join(home, 'services.json'), NO_SERVICES);
    writeFileSync(join(home, 'predicate.json'), '{"checked":true}');
    for (const signer of SIGNERS) await cosign('generate-key-pair', '--output-key-prefix', signer);
  });
  afterAll(() => upstream.stop());

  const cosign = (...words: readonly string[]): Promise<string> => must('cosign', words, { cwd: home, env });

  /** A signature and an attestation, each as cosign writes it today and as it did before version 3. */
  async function sign(signer: Signer, repository: string): Promise<void> {
    for (const how of [OLD, FRESH]) {
      const words = ['--yes', '--key', `${signer}.key`, ...how];
      await cosign('sign', ...words, `${repository}@${DIGEST}`);
      await cosign('attest', ...words, '--type', 'custom', '--predicate', 'predicate.json', `${repository}@${DIGEST}`);
    }
  }

  async function accepted(repository: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const signer of SIGNERS)
      for (const [kind, format] of [
        ['old', ['--new-bundle-format=false']],
        ['new', []],
      ] as const)
        for (const verb of [['verify'], ['verify-attestation', '--type', 'custom']]) {
          const words = [...verb, '--key', `${signer}.pub`, '--insecure-ignore-tlog=true', ...format];
          const { status } = await run('cosign', [...words, `${repository}@${DIGEST}`], { cwd: home, env });
          if (status === 0) found.push(`${signer} ${verb[0]} ${kind}`);
        }
    return found.sort();
  }

  const all = (...signers: readonly Signer[]): readonly string[] =>
    signers
      .flatMap((signer) =>
        ['verify old', 'verify new', 'verify-attestation old', 'verify-attestation new'].map(
          (way) => `${signer} ${way}`,
        ),
      )
      .sort();

  describe.each(['docker-registry', 'registry'] as const)('in %s', (program) => {
    let enclave: DockerRegistry;
    beforeAll(async () => {
      enclave = await startDockerRegistry({ program });
    });
    afterAll(() => enclave.stop());

    it('the signatures of both verify, whoever signs next', { timeout: 240_000 }, async () => {
      const name = `team/${program}`;
      const near = `${upstream.host}/${name}`;
      const far = `${enclave.host}/mirror/${name}`;
      await pushBuilt(upstream.host, name, '1', both);
      await sign('publisher', near);
      const place = workplace();
      await place.succeed(['keygen', 'release', '--no-password']);
      const carry = async (medium: string, more = ''): Promise<void> => {
        place.write({ 'dray.yaml': manifest('signed', `images: [{ref: "${near}:1", platforms: all${more}}]\n`) });
        await place.succeed(['lock', '--upgrade']);
        await place.succeed(['pack', medium, '--key', 'release.key']);
        const to = `registry://${enclave.host}/mirror`;
        await place.succeed(['load', medium, '--key', 'release.pub', '--to', to, '--state', 'state']);
      };
      // The enclave has the image without signatures, and signs it.
      await carry('first', ', referrers: false');
      expect(await accepted(far)).toEqual([]);
      await sign('enclave', far);
      expect(await accepted(far)).toEqual(all('enclave'));
      await carry('second');
      expect(await accepted(far)).toEqual(all('enclave', 'publisher'));
      // cosign adds to what dray merged, and dray to what cosign added.
      await sign('auditor', far);
      expect(await accepted(far)).toEqual(all('auditor', 'enclave', 'publisher'));
      await sign('second', near);
      await carry('third');
      expect(await accepted(far)).toEqual(all('auditor', 'enclave', 'publisher', 'second'));
    });
  });
});
