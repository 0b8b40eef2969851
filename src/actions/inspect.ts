import { openDocuments } from '../bundle/documents.ts';
import { artifactGraph } from '../bundle/graph.ts';
import type { OpenBundle } from '../bundle/reader.ts';
import { DrayError } from '../errors.ts';
import { filesOf } from '../oci/artifact.ts';
import { openTrusted, openUntrusted } from './open.ts';
import type { InspectOptions } from './options.ts';
import type { InspectResult } from './results.ts';
import { bundleSummary, summaryOf } from './summaries.ts';

/** What is in a bundle and who signed it: metadata only, however large it is. Without a policy nothing is claimed of its origin. */
export async function inspect(options: InspectOptions): Promise<InspectResult> {
  const { policy } = options;
  const bundle = policy === undefined ? await openUntrusted(options) : await openTrusted(options, policy);
  const { index, media, missing } = bundle;
  return {
    bundle: bundleSummary(bundle, policy !== undefined),
    artifacts: index.artifacts.map(summaryOf),
    entries: index.artifacts,
    media: {
      count: index.media,
      present: media.map(({ name }) => name),
      missing: [...new Set(missing.map(({ medium }) => medium))],
    },
    totals: index.totals,
    ...(options.files ? { files: await namedFiles(bundle) } : {}),
  };
}

/** Every file that a manifest names, of artifacts whose documents are on the media given. */
async function namedFiles(bundle: OpenBundle): Promise<NonNullable<InspectResult['files']>> {
  const documents = await openDocuments(bundle);
  const files = [];
  for (const artifact of bundle.index.artifacts) {
    if (!documents.has(artifact.delivers)) continue;
    const graph = await artifactGraph(artifact, (document) => documents.read(document)).catch((error: unknown) => {
      throw new DrayError('content-damaged', `${artifact.name}: its documents cannot be read`, { cause: error });
    });
    const named = filesOf(graph.documents.map(({ content }) => content));
    files.push(
      ...named.map(({ title, descriptor }) => ({
        artifact: artifact.name,
        path: title,
        size: descriptor.size,
        digest: descriptor.digest,
      })),
    );
  }
  return files;
}
