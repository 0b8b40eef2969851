import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import type { LockedArtifact, LockedBlob } from '../../manifest/lock.ts';
import { parseWheelName } from '../../oci/wheel-name.ts';
import type { BlobWriter } from '../../store/blob-store.ts';
import { putDocuments } from '../named-files.ts';
import { movedOr, shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';
import { addressOf, loginFor } from './indexes.ts';
import type { IndexAddress } from './indexes.ts';
import { knownLogins } from './logins.ts';
import { inspectWheel } from './inspect.ts';
import { WHEELS } from './layers.ts';
import { openIndexes } from './package-index.ts';
import type { FindProject } from './package-index.ts';

interface Fetching {
  readonly into: BlobWriter;
  readonly env: SourceEnvironment;
  readonly indexes: readonly IndexAddress[];
  readonly find: FindProject;
}

/**
 * Fetches the wheels of a lock, and looks into each. One whose URL is gone is looked up again by its name in the indexes of the lock: the
 * digest decides.
 * @throws `upstream-moved`, `upstream-invalid`, `lock-invalid`
 */
export async function fetchWheels(locked: LockedArtifact, into: BlobWriter, env: SourceEnvironment): Promise<void> {
  await putDocuments(locked, WHEELS, into);
  const indexes = await knownLogins(locked, env);
  const fetching: Fetching = { into, env, indexes, find: openIndexes({ indexes, pages: [] }, env.network) };
  const wheels = locked.blobs.filter(({ url }) => url !== undefined);
  await parallel(wheels, env.ctx, async (wheel) => {
    if (await into.has(wheel)) return;
    await fetchOne(wheel, fetching);
    await inspectWheel(wheel.title ?? '', wheel, env.store);
  });
}

async function fetchOne(wheel: LockedBlob, fetching: Fetching): Promise<void> {
  const { url = '' } = wheel;
  try {
    await fetchFrom(url, ownerOf(url, fetching), wheel, fetching);
  } catch (error) {
    const others = isGone(error) ? await elsewhere(wheel, fetching) : [];
    const [other] = others;
    if (other === undefined) movedOr(error, shown(url));
    await fetchFrom(other.url, addressOf(other.index ?? other.url), wheel, fetching).catch((again: unknown) =>
      movedOr(again, shown(other.url)),
    );
  }
}

async function fetchFrom(
  url: string,
  index: IndexAddress | undefined,
  wheel: LockedBlob,
  { into, env }: Fetching,
): Promise<void> {
  const { size, digest, mediaType } = wheel;
  const address = loginFor(url, index);
  const { content } = await env.network.file(address.url, { login: address.login, size });
  await into.put({ mediaType, digest, size }, content);
}

/** Offers of the same bytes by other URLs. An index that cannot be asked offers nothing. */
async function elsewhere({ title = '', digest, url }: LockedBlob, { find }: Fetching): ReturnType<typeof offersOf> {
  return offersOf(title, find).then(
    (offers) => offers.filter((offer) => offer.digest === digest && offer.url !== url),
    () => [],
  );
}

async function offersOf(title: string, find: FindProject): Promise<Awaited<ReturnType<FindProject>>['offers']> {
  const project = parseWheelName(title)?.project;
  return project === undefined ? [] : (await find(project)).offers;
}

/** The index of the same origin; a lock without any was given the wheel by URL, and the URL's own host may see its login. */
function ownerOf(url: string, { indexes }: Fetching): IndexAddress | undefined {
  const found = indexes.find((index) => new URL(index.url).origin === new URL(url).origin);
  return found ?? (indexes.length === 0 ? addressOf(new URL(url).origin) : undefined);
}

function isGone(error: unknown): boolean {
  return error instanceof DrayError && ['not-found', 'login-refused'].includes(error.code);
}
