import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, parse, resolve } from 'node:path';
import type {
  ConnectedSide,
  EnclaveCopy,
  EnclaveSide,
  EnclaveState,
  HeldStore,
  SiteTarget,
  Workspace,
} from '../actions/options.ts';
import type { MediaProfile } from '../bundle/media-profile.ts';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { PolicyFiles } from '../signing/policy.ts';
import type { Policy, Signer } from '../signing/signing.ts';
import type { Site, TargetSpec } from '../site/site.ts';
import type { Journal } from '../targets/target.ts';
import type { Io } from './io.ts';
import type { Call } from './verb.ts';

/**
 * Words to things: the only place that picks implementations. Everything heavy is imported where it is needed.
 */

const MANIFEST = 'dray.yaml';
const FRAMES = 'frames';

/** Opens the connected side for one action, and closes its connections afterwards. */
export async function withWorkspace<T>(call: Call, work: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workspace = await openWorkspace(call);
  try {
    return await work(workspace);
  } finally {
    await workspace.network.close();
  }
}

async function openWorkspace(call: Call): Promise<Workspace> {
  const { io, ctx } = call;
  const [places, { createNetwork }, { readUpstreams }, { knownFrame }] = await Promise.all([
    placesOf(call, manifestOf(call) ?? noManifest(io.cwd)),
    import('../registry/create-network.ts'),
    import('../registry/upstreams.ts'),
    import('../store/frames.ts'),
  ]);
  const { storeDirectory, manifestFile } = places;
  ctx.report({ type: 'detail', message: `manifest ${manifestFile}, store ${storeDirectory}` });
  return {
    ...places,
    ctx,
    network: createNetwork({ ctx, environment: io.env, upstreams: await readUpstreams(io.env) }),
    openStore: () => openStore(storeDirectory, io),
    knownFrame: (blob) => knownFrame(join(storeDirectory, FRAMES), blob),
  };
}

type Places = Omit<Workspace, 'ctx' | 'network' | 'openStore' | 'knownFrame'>;

/** What a manifest's name alone tells. */
async function placesOf({ given, io }: Call, manifestFile: string): Promise<Places> {
  const [{ SOURCES }, { readManifest }] = await Promise.all([
    import('../sources/index.ts'),
    import('../manifest/read-manifest.ts'),
  ]);
  const { dir: directory, name } = parse(manifestFile);
  const keep = join(directory, '.dray');
  const store = given.store ?? (io.env['DRAY_STORE'] === '' ? undefined : io.env['DRAY_STORE']);
  return {
    ...{ manifestFile, directory, keep, environment: io.env, sources: SOURCES },
    lockFile: join(directory, `${name}.lock`),
    storeDirectory: store === undefined ? join(keep, 'store') : resolve(io.cwd, store),
    readManifest: () => readManifest(manifestFile, io.env),
  };
}

/** Somebody waits for what doctor says. */
const ONCE_MORE = { attempts: 2, firstPause: 500, longestPause: 2000 };

/** The connected side for doctor. */
export async function connectedSide(call: Call, manifestFile: string): Promise<ConnectedSide> {
  const { io } = call;
  const [places, { createNetwork }, { readUpstreams }, { holdsBlob }] = await Promise.all([
    placesOf(call, manifestFile),
    import('../registry/create-network.ts'),
    import('../registry/upstreams.ts'),
    import('../store/oci-layout.ts'),
  ]);
  const key = io.env['DRAY_KEY'] ?? '';
  return {
    ...places,
    readUpstreams: () => readUpstreams(io.env),
    openNetwork: (settings) => createNetwork({ ...settings, environment: io.env, retry: ONCE_MORE }),
    holdsBlob: (blob) => holdsBlob(places.storeDirectory, blob),
    signingKeys: key === '' ? [] : [resolve(io.cwd, key)],
    passphrase: io.env['DRAY_KEY_PASSWORD'] === '' ? undefined : io.env['DRAY_KEY_PASSWORD'],
  };
}

/** An enclave for doctor: its targets are made, and probed without being opened. */
export function enclaveSide(call: Call, siteFile: string): EnclaveSide {
  return {
    readSite: () => readSite(siteFile, []),
    makeTargets: ({ targets }) => openTargets(call, targets, noJournal),
    readState: (directory) => readState(call, directory),
  };
}

/** `--file`, else the manifest here or in the nearest parent; undefined where there is none. */
export function manifestOf({ given, io }: Call): string | undefined {
  if (given.file !== undefined) return resolve(io.cwd, given.file);
  for (let directory = io.cwd; ; directory = dirname(directory)) {
    const file = join(directory, MANIFEST);
    if (existsSync(file)) return file;
    if (directory === dirname(directory)) return undefined;
  }
}

/** The groups of the manifest here; none where there is no manifest, or none that can be read. */
export async function groupsHere(call: Call): Promise<readonly string[]> {
  const file = manifestOf(call);
  if (file === undefined) return [];
  const { readManifest } = await import('../manifest/read-manifest.ts');
  return readManifest(file, call.io.env).then(
    ({ groups }) => groups.map(({ name }) => name),
    () => [],
  );
}

function noManifest(cwd: string): never {
  throw new DrayError(
    'manifest-invalid',
    `${MANIFEST}: found neither in ${printable(cwd)} nor in a directory above it`,
    {
      hint: '`dray init` writes one to start from; -f FILE names another',
    },
  );
}

async function openStore(directory: string, { pid, signal }: Pick<Io, 'pid' | 'signal'>): Promise<HeldStore> {
  const [{ openLayoutStore }, { openFrames }, { acquireLock }] = await Promise.all([
    import('../store/oci-layout.ts'),
    import('../store/frames.ts'),
    import('../io/disk/lock-file.ts'),
  ]);
  mkdirSync(directory, { recursive: true });
  const release = await acquireLock(join(directory, 'lock'), `the store in ${printable(directory)}`, pid);
  try {
    const store = openLayoutStore(directory, signal);
    return { store, frames: openFrames(join(directory, FRAMES), store), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The enclave's state, held alone. @throws `locked` */
export async function openState({ io }: Call, directory: string): Promise<EnclaveState> {
  return (await import('../site/state.ts')).openState(directory, { readOnly: false, pid: io.pid });
}

/** The same for looking at it only: takes no lock, so it works beside a running load. */
export async function readState({ io }: Call, directory: string): Promise<EnclaveState> {
  return (await import('../site/state.ts')).openState(directory, { readOnly: true, pid: io.pid });
}

/** Whole or not there. */
export async function writeFileWhole({ cwd }: Io, path: string, text: string): Promise<void> {
  const { atomicWrite } = await import('../io/disk/atomic-write.ts');
  await atomicWrite(resolve(cwd, path), text);
}

/** `--media`. @throws `usage` */
export async function mediaProfile(text: string | undefined): Promise<MediaProfile> {
  const { parseMediaProfile, UNLIMITED_MEDIUM } = await import('../bundle/media-profile.ts');
  return text === undefined ? UNLIMITED_MEDIUM : parseMediaProfile(text);
}

/** Private keys, opened: with `DRAY_KEY_PASSWORD` where they are encrypted, else with what the person at the terminal says. */
export async function openSigners({ io, prompts }: Call, files: readonly string[]): Promise<readonly Signer[]> {
  const [{ openSigner }, { isEncrypted, readKeyFile }] = await Promise.all([
    import('../signing/signer.ts'),
    import('../signing/key-file.ts'),
  ]);
  const fixed = io.env['DRAY_KEY_PASSWORD'] ?? '';
  const signers: Signer[] = [];
  for (const word of files) {
    const file = resolve(io.cwd, word);
    const pem = await readKeyFile(file);
    const asked =
      isEncrypted(pem) && fixed === '' ? await prompts?.passphrase(`passphrase of ${printable(word)}: `, false) : fixed;
    signers.push(openSigner(pem, { file, ...(asked === undefined || asked === '' ? {} : { passphrase: asked }) }));
  }
  return signers;
}

export async function loadPolicy(files: PolicyFiles): Promise<Policy> {
  return (await import('../signing/policy.ts')).loadPolicy(files);
}

/** @throws `site-invalid`, also where it lies on one of the media */
export async function readSite(file: string, media: readonly string[]): Promise<Site> {
  return (await import('../site/read-site.ts')).readSite(file, { notBelow: media });
}

/** `--to` URIs. @throws `usage`, `not-supported` */
export async function parseTargets({ io }: Call, uris: readonly string[]): Promise<readonly TargetSpec[]> {
  const { parseTargetUri } = await import('../site/target-uri.ts');
  return uris.map((uri) => parseTargetUri(uri, io.cwd));
}

export async function openTargets(
  { io, ctx }: Call,
  specs: readonly TargetSpec[],
  journal: (target: string) => Journal,
): Promise<readonly SiteTarget[]> {
  const { openTarget } = await import('../targets/index.ts');
  const dependencies = { ctx, journal, environment: io.env, pid: io.pid };
  return specs.map((spec) => ({ spec, target: openTarget(spec, dependencies) }));
}

/** Copies of enclaves' site files: their targets answer what they would call things, and are never opened. */
export async function enclaveCopies(call: Call, files: readonly string[]): Promise<readonly EnclaveCopy[]> {
  const copies: EnclaveCopy[] = [];
  for (const file of files) {
    const site = await readSite(resolve(call.io.cwd, file), []);
    copies.push({ site, targets: await openTargets(call, site.targets, noJournal) });
  }
  return copies;
}

function noJournal(target: string): never {
  throw new DrayError('internal', `${target}: was opened where it is only looked at`);
}
