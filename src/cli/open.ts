import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, parse, resolve } from 'node:path';
import type { EnclaveCopy, EnclaveState, HeldStore, SiteTarget, Workspace } from '../actions/options.ts';
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

async function openWorkspace({ given, io, ctx }: Call): Promise<Workspace> {
  const [{ SOURCES }, { readManifest }, { createNetwork }, { readUpstreams }, { knownFrame }] = await Promise.all([
    import('../sources/index.ts'),
    import('../manifest/read-manifest.ts'),
    import('../registry/create-network.ts'),
    import('../registry/upstreams.ts'),
    import('../store/frames.ts'),
  ]);
  const manifestFile = given.file === undefined ? findManifest(io.cwd) : resolve(io.cwd, given.file);
  const { dir: directory, name } = parse(manifestFile);
  const keep = join(directory, '.dray');
  const store = given.store ?? (io.env['DRAY_STORE'] === '' ? undefined : io.env['DRAY_STORE']);
  const storeDirectory = store === undefined ? join(keep, 'store') : resolve(io.cwd, store);
  return {
    ...{ ctx, manifestFile, directory, keep, storeDirectory, environment: io.env, sources: SOURCES },
    lockFile: join(directory, `${name}.lock`),
    network: createNetwork({ ctx, environment: io.env, upstreams: await readUpstreams(io.env) }),
    openStore: () => openStore(storeDirectory, io.pid),
    knownFrame: (blob) => knownFrame(join(storeDirectory, FRAMES), blob),
    readManifest: () => readManifest(manifestFile, io.env),
  };
}

/** Here or in the nearest parent. @throws `manifest-invalid` */
function findManifest(cwd: string): string {
  for (let directory = cwd; ; directory = dirname(directory)) {
    const file = join(directory, MANIFEST);
    if (existsSync(file)) return file;
    if (directory === dirname(directory)) break;
  }
  throw new DrayError(
    'manifest-invalid',
    `${MANIFEST}: found neither in ${printable(cwd)} nor in a directory above it`,
    {
      hint: '`dray init` writes one to start from; -f FILE names another',
    },
  );
}

async function openStore(directory: string, pid: number): Promise<HeldStore> {
  const [{ openLayoutStore }, { openFrames }, { acquireLock }] = await Promise.all([
    import('../store/oci-layout.ts'),
    import('../store/frames.ts'),
    import('../io/lock-file.ts'),
  ]);
  mkdirSync(directory, { recursive: true });
  const release = await acquireLock(join(directory, 'lock'), `the store in ${printable(directory)}`, pid);
  try {
    const store = openLayoutStore(directory);
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
  const { atomicWrite } = await import('../io/atomic-write.ts');
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
  throw new DrayError('internal', `${target}: was opened on the connected side`);
}
