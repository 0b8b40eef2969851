import { asDrayError } from '../errors.ts';
import { openDocuments } from '../bundle/documents.ts';
import type { Finding } from '../bundle/finding.ts';
import { artifactGraph } from '../bundle/graph.ts';
import { runOf } from '../bundle/table.ts';
import { printable } from '../io/safe-path.ts';
import type { Digest } from '../oci/digest.ts';
import type { Check } from './check.ts';

/** Everything that an artifact's root leads to is in the bundle, with the size that was said. */
export const graphCheck: Check = {
  name: 'graph',
  quick: false,
  run: async function* ({ bundle }): AsyncGenerator<Finding> {
    const sizes = new Map<Digest, number>();
    for (const volume of bundle.index.volumes) {
      try {
        for await (const piece of bundle.table(volume))
          if (piece.entry === undefined) sizes.set(runOf(piece).digest, runOf(piece).size);
      } catch {
        // A table that cannot be read is a finding of its own; what it names would all be said to be missing.
        return;
      }
    }
    const documents = await openDocuments(bundle);
    for (const artifact of bundle.index.artifacts) {
      if (!documents.has(artifact.delivers)) continue;
      const name = printable(artifact.name);
      const finding = (message: string, blob?: Digest): Finding => ({
        severity: 'error',
        code: 'bundle-invalid',
        message: `${name}: ${message}`,
        artifact: name,
        ...(blob === undefined ? {} : { blob }),
        hint: 'pack the bundle again: what was signed is not complete',
      });
      try {
        const { blobs } = await artifactGraph(artifact, (document) => documents.read(document));
        for (const { digest, size } of bundle.index.base === null ? blobs : [])
          if (sizes.get(digest) !== size)
            yield finding(`expected ${digest} of ${size} bytes, the bundle has ${sizes.get(digest) ?? 'none'}`, digest);
      } catch (error) {
        const { code, message } = asDrayError(error);
        if (code === 'bundle-invalid') yield finding(message);
      }
    }
  },
};
