import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { foldPath, isSafePath, printable } from '../../io/safe-path.ts';
import type { LockedBlob } from '../../manifest/lock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { WHEEL } from '../../oci/media-types.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { titled } from '../named-files.ts';
import { shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';
import { checked } from './checked.ts';
import { PAGES_AT_ONCE } from './choose.ts';
import type { Chosen } from './choose.ts';
import { loginFor } from './indexes.ts';
import type { IndexAddress } from './indexes.ts';
import { inspectWheel } from './inspect.ts';
import { METADATA_LIMIT, readMetadata } from './metadata.ts';
import type { WheelMetadata } from './metadata.ts';
import type { Offer } from './offer.ts';

/** A wheel as the lock has it, and what its METADATA says where that was to be had without the wheel. */
export interface PinnedWheel {
  readonly blob: LockedBlob;
  readonly metadata: WheelMetadata | undefined;
}

/** Whose login is shown for an offer: that of the index that it is from. */
export type IndexOf = (offer: Pick<Offer, 'url' | 'index'>) => IndexAddress | undefined;

/**
 * Pins what was chosen, each file once. No payload is kept where index or lock state a SHA-256; a wheel without one is streamed into the
 * store, and looked into.
 * @throws `upstream-moved`, `upstream-invalid`; `manifest-invalid` where two files are one
 */
export async function pinWheels(
  chosen: readonly Chosen[],
  indexOf: IndexOf,
  into: BlobWriter,
  env: SourceEnvironment,
): Promise<readonly PinnedWheel[]> {
  const files = distinct(chosen);
  const bounds = { signal: env.ctx.signal, jobs: Math.max(env.ctx.jobs, PAGES_AT_ONCE) };
  return parallel(files, bounds, async (one) => {
    const { offer } = one;
    const index = indexOf(offer);
    const { blob, isHere } = await pinOne(one, index, into, env);
    const metadata = isHere ? await inspectWheel(offer.file, blob, env.store) : await askMetadata(offer, index, env);
    const { requiresPython = metadata?.requiresPython } = offer;
    return {
      blob: titled(blob, offer.file, false, {
        url: offer.url,
        ...(requiresPython === undefined ? {} : { requiresPython }),
      }),
      metadata,
    };
  });
}

async function pinOne(
  { offer, hashes }: Chosen,
  index: IndexAddress | undefined,
  into: BlobWriter,
  { network, claim, expect }: SourceEnvironment,
): Promise<{ readonly blob: Descriptor; readonly isHere: boolean }> {
  const { digest, size: stated } = offer;
  const address = loginFor(offer.url, index);
  if (digest !== undefined && stated !== undefined && hashes.length === 0)
    return { blob: { mediaType: WHEEL, digest, size: stated }, isHere: false };
  const remote = await network.file(address.url, { login: address.login });
  const { size } = remote;
  if (digest !== undefined && size !== undefined && hashes.length === 0)
    return { blob: { mediaType: WHEEL, digest, size }, isHere: false };
  if (size !== undefined) await claim(size);
  expect?.(size ?? 0);
  const wanted =
    hashes.length > 0 || digest === undefined ? hashes : [{ algorithm: 'sha256', hex: digest.slice(7) } as const];
  const blob = await into.add(checked(remote, wanted, shown(offer.url)), WHEEL, size);
  return { blob, isHere: true };
}

/** METADATA by itself (PEP 658), where the index says that there is one. */
async function askMetadata(
  offer: Offer,
  index: IndexAddress | undefined,
  { network }: SourceEnvironment,
): Promise<WheelMetadata | undefined> {
  if (offer.metadata === undefined) return undefined;
  const address = loginFor(`${offer.url}.metadata`, index);
  const { status, body } = await network.ask(address.url, { login: address.login, limit: METADATA_LIMIT });
  // The wheel itself has it too: nothing is lost but a warning.
  if (status !== 200) return undefined;
  const { digest } = offer.metadata;
  const found = digestOf(body);
  const subject = printable(offer.file);
  if (digest !== undefined && digest !== found)
    throw new DrayError('upstream-invalid', `${subject}: its METADATA should be ${digest}, found ${found}`);
  return readMetadata(body, offer.name, subject);
}

/** @throws `manifest-invalid` where one name is two files, also where case does not count */
function distinct(chosen: readonly Chosen[]): readonly Chosen[] {
  const byFile = new Map<string, Chosen>();
  for (const one of chosen) {
    const { file, digest, url } = one.offer;
    if (!isSafePath(file))
      throw new DrayError('upstream-invalid', `${printable(file)}: is no name that can be written on every system`);
    const other = byFile.get(foldPath(file));
    if (other === undefined) byFile.set(foldPath(file), one);
    else if (
      other.offer.file !== file ||
      (digest === undefined ? other.offer.url !== url : other.offer.digest !== digest)
    )
      throw new DrayError(
        'manifest-invalid',
        `${printable(file)}: two different files have this name, at ${shown(other.offer.url)} and at ${shown(url)}`,
        {
          hint: 'give each a wheelhouse of its own',
        },
      );
  }
  return [...byFile.values()];
}
