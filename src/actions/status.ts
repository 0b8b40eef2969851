import type { EnclaveState } from './options.ts';
import type { StatusResult } from './results.ts';

export interface StatusOptions {
  /** The enclave's name; null without a site file. */
  readonly site: string | null;
  readonly state: Pick<EnclaveState, 'directory' | 'read' | 'underway'>;
}

/** What an enclave accepted, oldest first, and what is half done. Reads only, so it works beside a running load. */
export function status({ site, state }: StatusOptions): StatusResult {
  const bundles = state.read().map(({ name, sequence, digest, acceptedAt, signers, note }) => ({
    name,
    sequence,
    digest,
    acceptedAt,
    signers,
    ...(note === undefined ? {} : { note }),
  }));
  return { site, state: state.directory, bundles, underway: state.underway() };
}
