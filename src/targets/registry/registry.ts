import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import type { RetryPolicy } from '../../io/retry.ts';
import type { Descriptor, Document } from '../../oci/descriptor.ts';
import { digestOf, shortOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { successors } from '../../oci/image-manifest.ts';
import { isDocument } from '../../oci/media-types.ts';
import { createNetwork } from '../../registry/create-network.ts';
import type { NetworkSettings } from '../../registry/create-network.ts';
import type { HostAccess, Network } from '../../registry/network.ts';
import type { Repository } from '../../registry/repository.ts';
import type { RegistrySpec } from '../../site/site.ts';
import type { Blocks, ByteRange } from '../../store/blob-store.ts';
import type { GraphDocument } from '../../store/graph.ts';
import { nameInRegistry, placeInRegistry, splitRegistry } from '../naming.ts';
import { probeRegistry } from './probe.ts';
import { RegistryBlobs } from './blobs.ts';
import { RegistryNames } from './names.ts';
import { isWhole } from './recheck.ts';
import { partsArePresent, putDocuments } from './referrers.ts';
import { RegistryRuns } from './runs.ts';
import { putMerged, sharing } from './shared-tags.ts';
import { PATIENCE } from '../target.ts';
import type { Delivery, Journal, Need, Target } from '../target.ts';

export interface RegistryDependencies {
  readonly journal: (uri: string) => Journal;
  /** For logins and proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds that the registry may leave a request without an answer; default `PATIENCE`. */
  readonly patience?: number;
}

/** Somebody waits for the answer of a probe. */
const ONCE_MORE: RetryPolicy = { attempts: 2, firstPause: 500, longestPause: 2000 };

/** What an open target works with. */
interface Opened {
  readonly ctx: Context;
  readonly network: Network;
  readonly open: (name: string) => Repository;
  readonly blobs: RegistryBlobs;
  readonly runs: RegistryRuns;
  readonly names: RegistryNames;
}

interface Place {
  readonly repository: Repository;
  readonly tag: string;
}

/**
 * A registry that speaks the distribution protocol. Blobs go to one repository and are mounted by the others that need
 * them; documents follow when an artifact's blobs are all there, its tag last, each read back.
 */
export function registryTarget(spec: RegistrySpec, dependencies: RegistryDependencies): Target {
  let opened: Opened | undefined;
  const state = (): Opened => {
    if (opened === undefined) throw new DrayError('internal', `${spec.registry}: is used before it is opened`);
    return opened;
  };
  const placeOf = (artifact: BundleArtifact): Place => {
    const { repository, tag } = placeInRegistry(artifact, spec);
    return { repository: state().open(repository), tag };
  };
  return {
    uri: uriOf(spec),
    nameOf: (artifact) => nameInRegistry(artifact, spec),
    probe: (ctx) => probeRegistry(spec, (onDate) => networkAt(spec, dependencies, { ctx, onDate, retry: ONCE_MORE })),
    open: async (ctx) => {
      await Promise.resolve();
      opened = openAt(spec, dependencies, ctx);
    },
    present: (artifact, _name, recheck) => present(state(), artifact, placeOf(artifact), recheck),
    expect: (delivery) => expect(state(), delivery, placeOf(delivery.artifact)),
    needs: (blob, run) => needs(state(), blob, run),
    receive: (blob, run, content) => receive(state(), blob, run, content),
    complete: (delivery) => complete(state(), delivery),
    commit: (delivery) => commit(state(), delivery, placeOf(delivery.artifact)),
    close: async () => {
      const { network } = opened ?? {};
      opened = undefined;
      await network?.close();
    },
  };
}

function uriOf({ registry }: RegistrySpec): string {
  return `registry://${registry}`;
}

function networkAt(
  spec: RegistrySpec,
  { environment }: RegistryDependencies,
  settings: Pick<NetworkSettings, 'ctx' | 'onDate' | 'retry' | 'patience'>,
): Network {
  const { host } = splitRegistry(spec.registry);
  return createNetwork({ ...settings, environment, upstreams: new Map([[host.toLowerCase(), accessOf(spec)]]) });
}

function openAt(spec: RegistrySpec, dependencies: RegistryDependencies, ctx: Context): Opened {
  const { host } = splitRegistry(spec.registry);
  const { patience = PATIENCE } = dependencies;
  const network = networkAt(spec, dependencies, { ctx, patience });
  const journal = dependencies.journal(uriOf(spec));
  const open = (name: string): Repository => network.repository(host, name);
  // Two entries of a site may name one registry for different groups: they share its journal, but no upload.
  const owner = shortOf(digestOf(JSON.stringify([spec.take, spec.group, spec.without])));
  return {
    ctx,
    network,
    open,
    blobs: new RegistryBlobs(open, ctx),
    runs: new RegistryRuns(open, journal, owner),
    names: new RegistryNames(journal, spec.overwrite),
  };
}

function accessOf({ caFile, certFile, keyFile, plainHttp }: RegistrySpec): HostAccess {
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(plainHttp === undefined ? {} : { plainHttp }),
  };
}

interface Tagged {
  readonly tag: string;
  readonly digest: Digest;
}

function partTags({ parts }: BundleArtifact): readonly Tagged[] {
  return parts.flatMap(({ tag, digest }) => (tag === undefined ? [] : [{ tag, digest }]));
}

function taggedParts(delivery: Delivery): readonly (Tagged & { readonly document: GraphDocument })[] {
  return partTags(delivery.artifact).map((tagged) => ({ ...tagged, document: documentOf(delivery, tagged.digest) }));
}

function documentOf({ artifact, documents }: Delivery, digest: Digest): GraphDocument {
  const found = documents.find(({ descriptor }) => descriptor.digest === digest);
  if (found === undefined) throw new DrayError('bundle-invalid', `${artifact.name}: lacks the document ${digest}`);
  return found;
}

/** Everything that the documents name but themselves. */
function blobsOf({ documents }: Delivery): readonly Descriptor[] {
  const named = documents
    .flatMap(({ content }) => successors(content))
    .filter(({ mediaType }) => !isDocument(mediaType));
  return [...new Map(named.map((blob) => [blob.digest, blob])).values()];
}

/** A registry takes no manifest without its blobs, so what has its name is whole. */
async function present(
  { ctx, names }: Opened,
  artifact: BundleArtifact,
  place: Place,
  recheck: boolean,
): Promise<boolean> {
  const { repository, tag } = place;
  if ((await repository.head(tag))?.digest !== artifact.delivers) return false;
  if (!(await partsArePresent(repository, artifact, ctx))) return false;
  for (const name of partTags(artifact)) {
    const found = await repository.head(name.tag);
    if (found === undefined) return false;
    if (found.digest === name.digest) continue;
    const { how } = await sharing(repository, name.tag, await repository.document(name.digest), names);
    if (how !== 'keep') return false;
  }
  return !recheck || isWhole(repository, artifact, ctx);
}

async function expect({ names, blobs }: Opened, delivery: Delivery, { repository, tag }: Place): Promise<void> {
  await names.check(repository, tag, delivery.artifact.delivers);
  for (const { tag: partTag, document } of taggedParts(delivery))
    if ((await sharing(repository, partTag, document, names)).how === 'put')
      await names.check(repository, partTag, document.descriptor.digest);
  await blobs.expect(repository.name, blobsOf(delivery));
}

async function needs({ blobs, runs }: Opened, blob: Descriptor, run: ByteRange): Promise<Need> {
  if (!blobs.isWanted(blob)) return 'no';
  if (await blobs.settled(blob)) {
    await runs.abandon(blob);
    return 'no';
  }
  if (isAll(blob, run)) return 'yes';
  const offset = runs.offset(blob);
  if (run.end <= offset) return 'no';
  return run.start <= offset ? 'yes' : 'not-yet';
}

async function receive(
  { blobs, runs, open }: Opened,
  blob: Descriptor,
  run: ByteRange,
  content: Blocks,
): Promise<void> {
  const to = blobs.whereTo(blob);
  if (to === undefined) throw new DrayError('internal', `${blob.digest}: is sent to a registry that does not need it`);
  if (isAll(blob, run)) {
    await open(to).upload(blob, content);
    await runs.abandon(blob);
    blobs.arrived(blob, to);
  } else {
    const arrivedAt = await runs.receive(blob, run, content, to);
    if (arrivedAt === undefined) return;
    blobs.arrived(blob, arrivedAt);
  }
  await blobs.settled(blob);
}

function isAll({ size }: Descriptor, { start, end }: ByteRange): boolean {
  return start === 0 && end === size;
}

async function complete({ blobs, ctx }: Opened, delivery: Delivery): Promise<boolean> {
  const all = await parallel(blobsOf(delivery), ctx, (blob) => blobs.settled(blob));
  return all.every((isThere) => isThere);
}

async function commit({ names }: Opened, delivery: Delivery, { repository, tag }: Place): Promise<void> {
  await putDocuments(repository, delivery.documents);
  for (const { tag: partTag, document } of taggedParts(delivery))
    await commitPart(names, repository, partTag, document);
  await names.put(repository, tag, documentOf(delivery, delivery.artifact.delivers));
}

async function commitPart(names: RegistryNames, repository: Repository, tag: string, part: Document): Promise<void> {
  const shared = await sharing(repository, tag, part, names);
  if (shared.how === 'put') await names.put(repository, tag, part);
  if (shared.how === 'merge') await putMerged(repository, tag, shared);
}
