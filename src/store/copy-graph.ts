import { untilAborted } from '../io/abortable.ts';
import { parallel } from '../io/parallel.ts';
import type { Bounds } from '../io/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDocument } from '../oci/media-types.ts';
import { putDocument } from './blob-store.ts';
import type { BlobWriter } from './blob-store.ts';
import { readGraph } from './graph.ts';
import type { GraphReader } from './graph.ts';
import { inAdvance } from './taking-turns.ts';

/**
 * Copies everything below a root, children before parents: a document that was written has all it names beside it. What
 * is there is skipped, each digest is transferred once, as many at a time as a writer in turns takes. The first failure stops
 * the others.
 * @throws what the reader and the writer throw; `bundle-invalid` for a graph that cannot be right
 */
export async function copyGraph(root: Descriptor, from: GraphReader, into: BlobWriter, bounds: Bounds): Promise<void> {
  const { documents, descriptors } = await readGraph([root], from, bounds);
  const blobs = descriptors.filter(({ mediaType }) => !isDocument(mediaType));
  await parallel(blobs, inAdvance(bounds), async (blob, signal) => {
    if (await into.has(blob)) return;
    await into.put(blob, (start) => untilAborted(from.content(blob)(start), signal));
  });
  for (const document of documents) if (!(await into.has(document.descriptor))) await putDocument(into, document);
}
