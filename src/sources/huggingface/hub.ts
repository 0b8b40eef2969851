import { hubPath } from '../../oci/hub-name.ts';
import type { HubCommit, HubRepository } from '../../oci/hub-name.ts';
import type { Network } from '../../registry/network.ts';
import { huggingFaceEndpoint } from '../../registry/services.ts';
import { shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';

/** A Hub: where it is, and the way there. Its URLs are those that huggingface_hub asks (hf_api.py, file_download.py). */
export interface Hub {
  /** Without a final slash. */
  readonly endpoint: string;
  readonly network: Network;
}

export function openHub({ network, environment }: Pick<SourceEnvironment, 'network' | 'environment'>): Hub {
  return { endpoint: huggingFaceEndpoint(environment), network };
}

export function infoUrl({ endpoint }: Pick<Hub, 'endpoint'>, { type, id }: HubRepository, revision: string): string {
  return `${endpoint}/api/${type}/${id}/revision/${encodeURIComponent(revision)}`;
}

/** Every file of a commit, in pages. */
export function treeUrl({ endpoint }: Hub, { type, id, commit }: HubCommit): string {
  return `${endpoint}/api/${type}/${id}/tree/${commit}?recursive=true&expand=false`;
}

export function fileUrl({ endpoint }: Hub, at: HubCommit, path: string): string {
  return `${endpoint}/${hubPath(at)}/resolve/${at.commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The page for people, where licences are accepted. */
export function pageUrl({ endpoint }: Hub, repository: HubRepository): string {
  return `${shown(endpoint)}/${hubPath(repository)}`;
}
