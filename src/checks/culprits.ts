import { openDocuments } from '../bundle/documents.ts';
import type { Documents } from '../bundle/documents.ts';
import { artifactGraph } from '../bundle/graph.ts';
import type { OpenBundle, OpenVolume } from '../bundle/reader.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';

/** Which artifacts a damaged blob belongs to; looked up only once there is damage. */
export class Culprits {
  private readonly bundle: OpenBundle;
  private documents: Promise<Documents> | undefined;

  constructor(bundle: OpenBundle) {
    this.bundle = bundle;
  }

  async artifactsWith(blob: Digest, volume: OpenVolume): Promise<string | undefined> {
    const documents = await (this.documents ??= openDocuments(this.bundle));
    const names: string[] = [];
    for (const artifact of this.bundle.index.artifacts.filter(({ volumes }) => volumes.includes(volume.entry.number))) {
      try {
        const graph = await artifactGraph(artifact, (document) => documents.read(document));
        const all = [
          ...graph.documents.map(({ descriptor }) => descriptor.digest),
          ...graph.blobs.map(({ digest }) => digest),
        ];
        if (all.includes(blob)) names.push(printable(artifact.name));
      } catch {
        // Its documents are damaged too, which is found by itself.
        if (artifact.delivers === blob) names.push(printable(artifact.name));
      }
    }
    return names.length === 0 ? undefined : names.join(', ');
  }
}
