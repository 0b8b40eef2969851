import type { Document } from '../../oci/descriptor.ts';
import { readGraph } from '../../store/graph.ts';
import { blaming, remembering } from '../images/reader.ts';
import { findReferrers } from '../images/referrers.ts';
import { registryReader } from '../images/registry-reader.ts';
import { partOf } from '../images/resolved.ts';
import { lockedBlob } from '../pinned.ts';
import type { Pin } from '../pinned.ts';
import { shown } from '../remote-content.ts';
import type { SourceEnvironment } from '../source.ts';
import { parseOci } from './repository.ts';

/**
 * What refers to a chart that lies in a registry, as for images: `cosign sign` and `notation sign` work on charts alike.
 * @param url `oci://HOST/REPOSITORY:TAG`
 */
export async function chartReferrers(
  url: string,
  root: Document,
  env: SourceEnvironment,
): Promise<Required<Pick<Pin, 'parts' | 'blobs'>>> {
  const { host, repository: name } = parseOci(url);
  const repository = env.network.repository(host, name);
  const reader = registryReader(shown(url), repository, env);
  const found = await findReferrers([root.descriptor.digest], repository, reader, env.ctx);
  const documents = found.map(({ document }) => document);
  const roots = documents.map(({ descriptor }) => descriptor);
  const { descriptors } = await blaming(reader, () => readGraph(roots, remembering(reader, documents), env.ctx));
  return { parts: found.map(partOf), blobs: descriptors.map((blob) => lockedBlob(blob)) };
}
