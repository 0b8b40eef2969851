import type { ArtifactSummary, InspectResult } from '../../actions/results.ts';
import { printable } from '../../io/safe-path.ts';
import { withoutTag } from '../../oci/tagged-name.ts';
import type { Part } from '../../oci/shapes.ts';
import { artifactCells, bundleLines, noLongerApply, totalOf } from '../artifacts.ts';
import { mediaOptionsOf, trustOf } from '../enclave.ts';
import { modelTable } from '../models.ts';
import { countOf, indent, shortDigest, sizeOf, table } from '../page.ts';
import type { Page } from '../page.ts';
import type { Given } from '../options.ts';
import type { Run } from '../verb.ts';

const UNVERIFIED = 'not verified: neither a key nor a site file was given';

export const run: Run = async (call) => {
  const { given } = call;
  const { inspect } = await import('../../actions/inspect.ts');
  const trusting = await trustOf(call);
  const policy = trusting === undefined ? {} : { policy: trusting.policy };
  const result = await inspect({ ...mediaOptionsOf(call), ...policy, files: given.files === true });
  const trusted = { unverified: UNVERIFIED, keys: trusting?.policy.keys ?? [] };
  return { result, text: (page) => bundleLines(result.bundle, page, trusted) + describe(result, given, page) };
};

function describe(result: InspectResult, given: Given, page: Page): string {
  const { artifacts, files } = result;
  const kinds = [given.images === true ? 'images' : '', given.models === true ? 'models' : ''].filter(
    (kind) => kind !== '',
  );
  const shown = kinds.length === 0 ? artifacts : artifacts.filter(({ kind }) => kinds.includes(kind));
  const body =
    files !== undefined
      ? listFiles(files, shown, page)
      : given.tree === true
        ? tree(result, shown, page)
        : kinds.length === 1 && kinds[0] === 'images'
          ? imageTable(shown, page)
          : kinds.length === 1
            ? modelTable(shown, page)
            : list(shown, page);
  return `${body}${totalOf(shown)}; ${mediaOf(result)}\n`;
}

function list(artifacts: readonly ArtifactSummary[], page: Page): string {
  const rows = artifacts.map((artifact) => [...artifactCells(artifact, page), { text: artifact.groups.join(', ') }]);
  return table(page, rows) + noLongerApply(artifacts, page);
}

/** From tag to digest, for whoever deploys by digest: digests in full where no terminal limits the width. */
function imageTable(images: readonly ArtifactSummary[], page: Page): string {
  if (images.length === 0) return '';
  const spell = (digest: string): string => (Number.isFinite(page.width) ? shortDigest(digest) : digest);
  const title = ['image', 'tag', 'delivers', 'upstream', 'platforms'].map((text) => ({ text, style: page.dim }));
  const rows = images.map(({ name, digest, upstream, platforms = [] }) => {
    const image = withoutTag(name);
    return [
      { text: image, flexible: true },
      { text: name.slice(image.length + 1), flexible: true },
      { text: spell(digest) },
      { text: upstream === digest ? 'the same' : spell(upstream), style: page.dim },
      { text: platforms.join(', '), flexible: true },
    ];
  });
  return table(page, [title, ...rows]) + noLongerApply(images, page);
}

function listFiles(files: NonNullable<InspectResult['files']>, shown: readonly ArtifactSummary[], page: Page): string {
  const names = new Set(shown.map(({ name }) => name));
  const rows = files
    .filter(({ artifact }) => names.has(artifact))
    .map(({ artifact, path, size, digest }) => [
      { text: artifact, flexible: true },
      { text: path, flexible: true },
      { text: sizeOf(size), right: true },
      { text: shortDigest(digest), style: page.dim },
    ]);
  return table(page, rows);
}

/** By group: an artifact stands in each of its groups. Below it where it came from, its platforms, and what came beside it. */
function tree({ entries }: InspectResult, shown: readonly ArtifactSummary[], page: Page): string {
  const groups = new Map<string, ArtifactSummary[]>();
  for (const artifact of shown)
    for (const group of artifact.groups.length === 0 ? ['(no group)'] : artifact.groups)
      groups.set(group, [...(groups.get(group) ?? []), artifact]);
  const below = (artifact: ArtifactSummary): string => {
    const entry = entries.find(({ kind, name }) => kind === artifact.kind && name === artifact.name);
    const lines = [
      `from ${artifact.from}`,
      ...(entry?.platforms === undefined ? [] : [`platforms ${entry.platforms.join(', ')}`]),
      ...(entry === undefined ? [] : [`on ${entry.volumes.map((volume) => `volume ${volume}`).join(', ')}`]),
      ...artifact.parts.map((part) => partLine(part, artifact)),
    ];
    return lines.map((line) => `${page.dim(printable(line))}\n`).join('');
  };
  const branch = ([group, artifacts]: [string, ArtifactSummary[]]): string =>
    `${page.bold(printable(group))}\n${artifacts.map((artifact) => indent(table(narrow(page, 2), [artifactCells(artifact, page)])) + indent(below(artifact), '    ')).join('')}`;
  return [...groups].map(branch).join('');
}

/** `with TYPE DIGEST`, and of what where that is not the artifact itself. */
function partLine({ artifactType, mediaType, tag, digest, subject, note }: Part, artifact: ArtifactSummary): string {
  const type = tag === undefined ? (artifactType ?? mediaType) : `cosign ${tag.slice(tag.lastIndexOf('.') + 1)}`;
  const of = subject === undefined || subject === artifact.digest ? '' : ` of ${shortDigest(subject)}`;
  return `with ${type} ${shortDigest(digest)}${of}${note === undefined ? '' : `: ${note}`}`;
}

function narrow(page: Page, by: number): Page {
  return { ...page, width: page.width - by };
}

function mediaOf({ media, totals }: InspectResult): string {
  const missing =
    media.missing.length === 0 ? '' : `, not here: ${media.missing.map((medium) => `medium ${medium}`).join(', ')}`;
  return `${countOf(media.count, 'medium', 'media')}, ${sizeOf(totals.stored)} stored${missing}`;
}
