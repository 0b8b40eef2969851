import type { BundleArtifact, BundleIndex } from '../bundle/bundle-index.ts';
import { openDocuments } from '../bundle/documents.ts';
import type { Finding } from '../bundle/finding.ts';
import { artifactGraph } from '../bundle/graph.ts';
import type { ArtifactGraph } from '../bundle/graph.ts';
import { REPEATED } from '../bundle/plan.ts';
import { asDrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Check } from './check.ts';
import { readHoldings } from './holdings.ts';
import type { Holdings } from './holdings.ts';

/** Everything that an artifact's root leads to is in the bundle, where and how large the bundle index says; and nothing twice. */
export const graphCheck: Check = {
  name: 'graph',
  quick: false,
  run: async function* ({ bundle }): AsyncGenerator<Finding> {
    let holdings: Holdings;
    try {
      holdings = await readHoldings(bundle);
    } catch {
      // A table that cannot be read is a finding of its own; what it names would all be said to be missing.
      return;
    }
    yield* sumFindings(bundle.index, holdings);
    const documents = await openDocuments(bundle);
    for (const artifact of bundle.index.artifacts) {
      try {
        const graph = await artifactGraph(artifact, (document) => documents.read(document));
        for (const [how, blob] of contradictions(artifact, graph, holdings, bundle.index.base !== null))
          yield findingOf(artifact, how, blob);
      } catch (error) {
        const { code, message } = asDrayError(error);
        // A document that is damaged, or lies on a medium that was not given, is not for here.
        if (code === 'bundle-invalid') yield findingOf(artifact, message);
        else if (!holdings.documents.has(artifact.delivers))
          yield findingOf(artifact, 'its root is in no table', artifact.delivers);
      }
    }
  },
};

function* sumFindings({ totals, volumes }: BundleIndex, { blobs, documents, doubled }: Holdings): Generator<Finding> {
  for (const digest of doubled) yield broken(`${digest}: expected it once, found it twice`, { blob: digest });
  const sizes = new Map([...documents, ...blobs].map(([digest, { size }]) => [digest, size]));
  const found: BundleIndex['totals'] = {
    blobs: sizes.size,
    bytes: sum(sizes.values()),
    pieces: sum(volumes.map(({ pieces }) => pieces.lines)),
    stored: sum(volumes.map(({ stored }) => stored)),
  };
  for (const key of ['blobs', 'bytes', 'pieces', 'stored'] as const)
    if (found[key] !== totals[key])
      yield broken(`bundle.json: expected totals.${key} of ${found[key]}, found ${totals[key]}`, {});
}

/** What the documents say and the bundle does not keep. In a difference, blobs may lie in its base. */
function* contradictions(
  artifact: BundleArtifact,
  { documents, blobs }: ArtifactGraph,
  holdings: Holdings,
  isDifference: boolean,
): Generator<readonly [how: string, blob?: Digest]> {
  const whole = new Map<Digest, Descriptor>([
    ...documents.map(({ descriptor }) => [descriptor.digest, descriptor] as const),
    ...blobs.map((blob) => [blob.digest, blob] as const),
  ]);
  const size = sum([...whole.values()].map((blob) => blob.size));
  if (size !== artifact.size || whole.size !== artifact.blobs)
    yield [`expected ${artifact.blobs} blobs of ${artifact.size} bytes, found ${whole.size} of ${size}`];
  for (const { descriptor } of documents)
    for (const volume of artifact.volumes)
      if (holdings.documents.get(descriptor.digest)?.volumes.has(volume) !== true)
        yield [`expected the document ${descriptor.digest} on volume ${volume}, found none`, descriptor.digest];
  for (const { digest, size: expected } of blobs) {
    const held = holdings.blobs.get(digest);
    if (held === undefined && isDifference) continue;
    if (held?.size !== expected)
      yield [`expected ${digest} of ${expected} bytes, the bundle has ${held?.size ?? 'none'}`, digest];
    else if (expected > REPEATED && !(artifact.volumes.includes(held.first) && artifact.volumes.includes(held.last)))
      yield [`${digest} is on volume ${held.first}, the artifact on ${artifact.volumes.join(', ')}`, digest];
  }
}

function findingOf({ name }: BundleArtifact, how: string, blob?: Digest): Finding {
  return broken(`${printable(name)}: ${how}`, { artifact: printable(name), ...(blob === undefined ? {} : { blob }) });
}

function broken(message: string, where: Pick<Finding, 'artifact' | 'blob'>): Finding {
  const hint = 'pack the bundle again: what was signed contradicts itself';
  return { severity: 'error', code: 'bundle-invalid', message, ...where, hint };
}

function sum(sizes: Iterable<number>): number {
  let total = 0;
  for (const size of sizes) total += size;
  return total;
}
