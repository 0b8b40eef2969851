import type { Context } from '../context.ts';
import type { Entry, Manifest } from '../manifest/manifest.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Kind } from '../oci/kinds.ts';
import type { MediaProfile } from '../bundle/media-profile.ts';
import type { NetworkSettings } from '../registry/create-network.ts';
import type { Network } from '../registry/network.ts';
import type { Upstreams } from '../registry/upstreams.ts';
import type { Policy, Signer } from '../signing/signing.ts';
import type { Site, TargetSpec } from '../site/site.ts';
import type { Source } from '../sources/source.ts';
import type { BlobStore, Frame, FrameStore } from '../store/blob-store.ts';
import type { Journal, Target } from '../targets/target.ts';

/** What the verbs are given. `cli/open.ts` builds these from words; a caller of the library builds them itself. */

/** The connected side: a manifest, its lock, its store. */
export interface Workspace {
  readonly ctx: Context;
  readonly manifestFile: string;
  /** `dray.yaml` locks into `dray.lock`, beside it. */
  readonly lockFile: string;
  /** The manifest's directory, the base of paths in the lock. */
  readonly directory: string;
  /** Where the store lies, for saying how much room there is. */
  readonly storeDirectory: string;
  /** `.dray` beside the manifest: `bundles/` keeps every packed bundle index, `packing/` what a killed pack had done. */
  readonly keep: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly network: Network;
  readonly sources: readonly Source[];
  /** Opens the store for writing, alone: another dray that holds it is `locked`. */
  readonly openStore: () => Promise<HeldStore>;
  /** A frame that an earlier pack made, looked up without the store being held: a dry run counts with it. */
  readonly knownFrame: (blob: Descriptor) => Frame | undefined;
  readonly readManifest: () => Promise<Manifest>;
}

export interface HeldStore {
  readonly store: BlobStore;
  readonly frames: FrameStore;
  readonly release: () => Promise<void>;
}

/** `--only KIND`, `--group GROUP`, `--without GROUP`: what is handled matches all that are given; empty lists ask nothing. */
export interface Selection {
  readonly only: readonly Kind[];
  readonly group: readonly string[];
  readonly without: readonly string[];
}

export interface LockOptions {
  /** Moves pins: of all artifacts (empty list) or of those whose names match these globs. Undefined keeps every pin. */
  readonly upgrade?: readonly string[];
  readonly check: boolean;
  readonly sites: readonly EnclaveCopy[];
  readonly keepGoing: boolean;
}

/** A copy of an enclave's site file on the connected side, with its targets made but never opened. */
export interface EnclaveCopy {
  readonly site: Site;
  readonly targets: readonly SiteTarget[];
}

/** A target and what it takes. */
export interface SiteTarget {
  readonly spec: TargetSpec;
  readonly target: Target;
}

export interface FetchOptions {
  readonly selection: Selection;
  readonly keepGoing: boolean;
}

export interface PackOptions {
  readonly out: string;
  readonly profile: MediaProfile;
  readonly format: 'archive' | 'directory';
  /** Empty: `--unsigned` was given. */
  readonly signers: readonly Signer[];
  readonly sequence?: number;
  readonly audience: readonly string[];
  /** The end of a bundle that was created then. */
  readonly expires?: (created: Date) => Date;
  readonly created?: Date;
  readonly selection: Selection;
  readonly sites: readonly EnclaveCopy[];
  readonly locked: boolean;
  readonly dryRun: boolean;
  /** That volume of that bundle once more, byte for byte. */
  readonly again?: { readonly bundleFile: string; readonly volume: number };
  /**
   * Takes what is to be done once somebody has been told of the bundle: until then the same call finishes the same one, after
   * it makes the next. Without this it is done before the promise is kept.
   */
  readonly onceTold?: (step: () => void) => void;
}

export interface DoctorOptions {
  readonly ctx: Context;
  /** Of Node. */
  readonly runtime: { readonly node: string; readonly minimum: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds that each check may take. */
  readonly limit: number;
  readonly connected?: ConnectedSide;
  readonly enclave?: EnclaveSide;
}

/** The connected side as doctor looks at it: nothing is opened, held or made. */
export interface ConnectedSide extends Pick<
  Workspace,
  'manifestFile' | 'lockFile' | 'directory' | 'storeDirectory' | 'sources' | 'readManifest'
> {
  readonly readUpstreams: () => Promise<Upstreams>;
  readonly openNetwork: (settings: Pick<NetworkSettings, 'ctx' | 'upstreams' | 'onDate'>) => Network;
  /** Does the store have these bytes already? */
  readonly holdsBlob: (blob: Pick<Descriptor, 'digest' | 'size'>) => boolean;
  /** Private keys that will sign where nothing else is said (`DRAY_KEY`), and what opens them. */
  readonly signingKeys: readonly string[];
  readonly passphrase: string | undefined;
}

/** An enclave as doctor looks at it: its targets are made, and only probed. */
export interface EnclaveSide {
  readonly readSite: () => Promise<Site>;
  readonly makeTargets: (site: Site) => Promise<readonly SiteTarget[]>;
  readonly readState: (directory: string) => Promise<Pick<EnclaveState, 'read' | 'underway'>>;
}

/** Asks a person for the next disc; answers a directory, or undefined where nobody is there. */
export type AskForMedium = (missing: {
  readonly volume: number;
  readonly medium: number;
  readonly name: string;
}) => Promise<string | undefined>;

/** Media as given on the command line: each a medium, or a directory that holds several. */
export interface MediaOptions {
  readonly ctx: Context;
  readonly media: readonly string[];
  /** `--bundle NAME-SEQ`, where the directories hold several bundles. */
  readonly bundle?: string;
  /** `--signature FILE`: signatures made after the burn. */
  readonly signatureFiles: readonly string[];
}

export interface SignOptions extends MediaOptions {
  readonly signer: Signer;
  /** Writes the signature to this file and leaves the media alone. */
  readonly to?: string;
}

export interface InspectOptions extends MediaOptions {
  readonly policy?: Policy;
  readonly files: boolean;
}

export interface VerifyOptions extends MediaOptions {
  readonly policy: Policy;
  readonly partial: boolean;
  readonly quick: boolean;
  readonly ask?: AskForMedium;
}

export interface LoadOptions extends MediaOptions {
  readonly policy: Policy;
  /** The enclave's name, for `--audience`; null without a site file. */
  readonly siteName: string | null;
  readonly ignore: readonly Kind[];
  readonly targets: readonly SiteTarget[];
  readonly hooks: { readonly scan?: string; readonly loaded?: string };
  readonly state: EnclaveState;
  readonly selection: Selection;
  readonly dryRun: boolean;
  readonly keepGoing: boolean;
  readonly allowOlder: boolean;
  readonly recheck: boolean;
  readonly ask?: AskForMedium;
  /** Milliseconds that a target may take no byte and give no answer before the load goes on without it; default 60,000. */
  readonly patience?: number;
}

/** What an enclave keeps (site/state.ts): sequence numbers, receipts, and the journal of what is under way. */
export interface EnclaveState {
  readonly directory: string;
  readonly read: () => readonly AcceptedBundle[];
  readonly accept: (bundle: AcceptedBundle) => Promise<void>;
  /** One journal for each target. */
  readonly journal: (target: string) => Journal;
  readonly underway: () => readonly { readonly name: string; readonly sequence: number; readonly since: string }[];
  readonly begin: (bundle: {
    readonly name: string;
    readonly sequence: number;
    readonly since: string;
  }) => Promise<void>;
  readonly release: () => Promise<void>;
}

export interface AcceptedBundle {
  readonly name: string;
  readonly sequence: number;
  readonly digest: `sha256:${string}`;
  readonly created: string;
  readonly acceptedAt: string;
  readonly signers: readonly string[];
  /** Said where it was a rollback on purpose, or where groups were left out. */
  readonly note?: string;
}

export type { Entry };
