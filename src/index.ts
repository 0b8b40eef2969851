/** The public API: the actions, what they take and answer, the contracts behind them, and the one error they throw. */

export { asDrayError, at, CATALOGUE, DrayError } from './errors.ts';
export type { ErrorCode, ErrorDetail, Where } from './errors.ts';
export { quietContext } from './context.ts';
export type { Context, Event } from './context.ts';

export { diff } from './actions/diff.ts';
export type { DiffOptions } from './actions/diff.ts';
export { doctor } from './actions/doctor.ts';
export { fetch } from './actions/fetch.ts';
export { init } from './actions/init.ts';
export type { InitOptions, InitResult } from './actions/init.ts';
export { inspect } from './actions/inspect.ts';
export { keygen } from './actions/keygen.ts';
export type { KeygenOptions, KeygenResult } from './actions/keygen.ts';
export { load } from './actions/load.ts';
export { lock } from './actions/lock.ts';
export { pack } from './actions/pack.ts';
export { sign } from './actions/sign.ts';
export { status } from './actions/status.ts';
export type { StatusOptions } from './actions/status.ts';
export { verify } from './actions/verify.ts';
export type * from './actions/options.ts';
export type * from './actions/results.ts';

export type { BundleIndex } from './bundle/bundle-index.ts';
export type { MediaProfile } from './bundle/media-profile.ts';
export type { Lock, LockedArtifact } from './manifest/lock.ts';
export type { Group, Manifest } from './manifest/manifest.ts';
export type { Descriptor, Document } from './oci/descriptor.ts';
export type { Digest } from './oci/digest.ts';
export type { Kind } from './oci/kinds.ts';
export type { NetworkSettings } from './registry/create-network.ts';
export type { Upstreams } from './registry/upstreams.ts';
export type { Network } from './registry/network.ts';
export type { Repository } from './registry/repository.ts';
export type { Policy, Signer } from './signing/signing.ts';
export type { Site, TargetSpec } from './site/site.ts';
export type { Source, SourceEnvironment, Upstream } from './sources/source.ts';
export type { BlobReader, BlobStore, BlobWriter, Blocks, Content } from './store/blob-store.ts';
export type { Delivery, Journal, Probed, Target } from './targets/target.ts';

/** What `dray` itself builds a workspace and an enclave from; a caller may bring anything else behind the same contracts. */
export { parseMediaProfile, UNLIMITED_MEDIUM } from './bundle/media-profile.ts';
export { readManifest } from './manifest/read-manifest.ts';
export { createNetwork } from './registry/create-network.ts';
export { readUpstreams } from './registry/upstreams.ts';
export { loadPolicy } from './signing/policy.ts';
export { openSigner } from './signing/signer.ts';
export { readSite } from './site/read-site.ts';
export { openState } from './site/state.ts';
export { SOURCES } from './sources/index.ts';
export { knownFrame, openFrames } from './store/frames.ts';
export { holdsBlob, openLayoutStore } from './store/oci-layout.ts';
export { openTarget } from './targets/index.ts';
