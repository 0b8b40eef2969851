import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError, asDrayError } from '../../errors.ts';
import { describeSpace, diskSpace, ensureRoom } from '../../io/disk/disk-space.ts';
import { refuseHeld } from '../../io/disk/lock-file.ts';
import { printable } from '../../io/safe-path.ts';
import { tryWriting } from '../../io/disk/try-writing.ts';
import type { Lock, LockedBlob } from '../../manifest/lock.ts';
import type { Manifest } from '../../manifest/manifest.ts';
import { sourceFor } from '../../sources/find-source.ts';
import { isEncrypted, readKeyFile, readPrivateKey } from '../../signing/key-file.ts';
import { readLock, refuseBehind } from '../lock.ts';
import type { ConnectedSide, DoctorOptions } from '../options.ts';
import type { Dates } from './clock.ts';
import { loginsProbe } from './logins.ts';
import { ok, skipped, warning } from './probe.ts';
import type { Found, Probe } from './probe.ts';
import { hostsOf, upstreamProbe } from './upstreams.ts';

/** What `lock`, `fetch` and `pack` will need: the manifest, its lock, the store, every host, the key. */
export async function connectedProbes(
  side: ConnectedSide,
  { environment }: DoctorOptions,
  dates: Dates,
): Promise<readonly Probe[]> {
  const [manifest, lock, upstreams] = await Promise.all([
    settled(side.readManifest()),
    settled(readLock(side.lockFile)),
    settled(side.readUpstreams()),
  ]);
  const asked = hostsOf('value' in manifest ? manifest.value.entries : [], side.sources, environment);
  const hosts = [...asked.keys()];
  return [
    { name: 'manifest', run: () => manifestFound(manifest, side, environment) },
    { name: 'lock', run: () => lockFound(manifest, lock, side) },
    { name: 'store', run: () => storeFound(lock, side) },
    { name: 'upstreams', run: () => ok(describeUpstreams(unwrap(upstreams).size)) },
    loginsProbe(hosts, environment),
    { name: 'key', run: () => keysFound(side) },
    ...('value' in upstreams
      ? hosts.map((host) =>
          upstreamProbe({ host, asked: asked.get(host) ?? [], upstreams: upstreams.value, environment, dates }, side),
        )
      : []),
  ];
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

function settled<T>(work: Promise<T>): Promise<Settled<T>> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

function unwrap<T>(outcome: Settled<T>): T {
  if ('value' in outcome) return outcome.value;
  throw asDrayError(outcome.error);
}

function manifestFound(
  manifest: Settled<Manifest>,
  { sources }: ConnectedSide,
  environment: DoctorOptions['environment'],
): Found {
  const { name, entries } = unwrap(manifest);
  for (const entry of entries) sourceFor(entry, sources).upstreams?.(entry, environment);
  return ok(`${printable(name)}, ${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`);
}

/** As `lock --check` has it, but that of local files only the size is looked at. */
function lockFound(manifest: Settled<Manifest>, outcome: Settled<Lock | undefined>, side: ConnectedSide): Found {
  const lock = unwrap(outcome);
  if ('error' in manifest) return skipped('the manifest cannot be read');
  if (lock === undefined) return warning('there is none yet', 'run `dray lock`');
  refuseBehind(manifest.value, lock, side.lockFile);
  const blobs = lock.artifacts.flatMap((artifact) => artifact.blobs);
  const local = blobs.filter(({ path }) => path !== undefined);
  for (const blob of local) refuseOtherSize(blob, side);
  const files = local.length === 0 ? '' : `; sizes of ${local.length} local files are as locked`;
  return ok(`${lock.artifacts.length} artifacts pinned, in step with the manifest${files}`);
}

function refuseOtherSize({ path = '', size }: LockedBlob, { directory }: ConnectedSide): void {
  const file = join(directory, path);
  const found = statSync(file, { throwIfNoEntry: false })?.size;
  if (found === size) return;
  const said = found === undefined ? 'found nothing' : `found ${found}`;
  throw new DrayError('local-changed', `${printable(file)}: expected ${size} bytes, ${said}`, { where: { file } });
}

async function storeFound(outcome: Settled<Lock | undefined>, side: ConnectedSide): Promise<Found> {
  const { storeDirectory: directory, holdsBlob } = side;
  refuseHeld(join(directory, 'lock'), `the store in ${printable(directory)}`);
  tryWriting(directory);
  const space = describeSpace(await diskSpace(directory));
  const lock = 'value' in outcome ? outcome.value : undefined;
  if (lock === undefined) return ok(space);
  const blobs = lock.artifacts.flatMap((artifact) => artifact.blobs).filter(({ path }) => path === undefined);
  const missing = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()].filter((blob) => !holdsBlob(blob));
  const bytes = missing.reduce((total, { size }) => total + size, 0);
  await ensureRoom(directory, bytes, directory);
  return ok(
    bytes === 0 ? `${space}; has all that is locked` : `${space}; ${bytes.toLocaleString('en-US')} bytes to fetch`,
  );
}

function describeUpstreams(count: number): string {
  return count === 0 ? 'hosts are reached under their own names' : `${count} hosts have an entry`;
}

async function keysFound({ signingKeys, passphrase }: ConnectedSide): Promise<Found | readonly Found[]> {
  if (signingKeys.length === 0) return skipped('DRAY_KEY names none; `pack` takes --key FILE');
  return Promise.all(signingKeys.map((file) => keyFound(file, passphrase)));
}

async function keyFound(file: string, passphrase: string | undefined): Promise<Found> {
  const pem = await readKeyFile(file);
  const shown = printable(file);
  if (isEncrypted(pem) && passphrase === undefined)
    return warning(
      `${shown} is encrypted; nobody can be asked for its passphrase in a script`,
      'set DRAY_KEY_PASSWORD',
    );
  readPrivateKey(pem, file, passphrase);
  if ((statSync(file).mode & 0o077) === 0) return ok(shown);
  return warning(`${shown} can be read by others`, `chmod 600 ${shown}`);
}
