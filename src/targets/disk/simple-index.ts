import { digestOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { filesOf } from '../../oci/artifact.ts';
import { REQUIRES_PYTHON } from '../../oci/media-types.ts';
import { isProject, parseWheelName } from '../../oci/wheel-name.ts';
import type { BundleArtifact } from '../../bundle/bundle-index.ts';
import type { Delivery } from '../target.ts';
import type { TreeFile } from './tree-file.ts';

/** Below a wheelhouse: the index that `pip --index-url` takes, as files or behind any web server (PEP 503). */
const DIRECTORY = 'simple';
/** Changes with the form of the pages, so that those of an older dray are written anew. */
const FORM = 'simple/1';

/**
 * The pages of a wheelhouse's static index: `simple/index.html`, and one page for each project, whose links lead to the wheels beside it.
 * Made of what the bundle says of the wheels alone, so they are the same wherever they are made.
 */
export function simpleIndex(delivery: Delivery, wheels: readonly TreeFile[]): readonly TreeFile[] {
  const requires = requirementsOf(delivery);
  const byProject = new Map<string, string[]>();
  for (const { path, blob } of wheels) {
    const file = path.slice(path.lastIndexOf('/') + 1);
    const project = path === `${delivery.name}/${file}` ? parseWheelName(file)?.project : undefined;
    // What no installer would look for has no page.
    if (project === undefined || !isProject(project)) continue;
    const link = linkTo(file, blob.digest, requires.get(file));
    byProject.set(project, [...(byProject.get(project) ?? []), link]);
  }
  const projects = [...byProject.keys()].sort();
  const top = projects.map((project) => `<a href="${project}/">${project}</a>`);
  const page = (path: string, title: string, links: readonly string[]): TreeFile =>
    generated(`${delivery.name}/${DIRECTORY}/${path}`, title, links);
  return [
    page('index.html', 'Simple index', top),
    ...projects.map((project) =>
      page(`${project}/index.html`, `Links for ${project}`, [...(byProject.get(project) ?? [])].sort()),
    ),
  ];
}

/** Of a wheelhouse: another one as soon as its wheels, or the form of its pages, are. */
export function identityWithIndex({ kind, delivers }: BundleArtifact): Digest {
  return kind === 'wheels' ? digestOf(`${delivers} ${FORM}`) : delivers;
}

/** Is this path one of the pages of a wheelhouse of that name? */
export function isPage(name: string, path: string): boolean {
  return path.startsWith(`${name}/${DIRECTORY}/`);
}

function requirementsOf({ documents }: Delivery): ReadonlyMap<string, string> {
  const files = filesOf(documents.map(({ content }) => content));
  return new Map(
    files.flatMap(({ title, descriptor }) => {
      const requires = descriptor.annotations?.[REQUIRES_PYTHON];
      return requires === undefined ? [] : [[title, requires] as const];
    }),
  );
}

function linkTo(file: string, digest: Digest, requires: string | undefined): string {
  const more = requires === undefined ? '' : ` data-requires-python="${escape(requires)}"`;
  return `<a href="../../${encodeURIComponent(file)}#${digest.replace(':', '=')}"${more}>${escape(file)}</a>`;
}

function generated(path: string, title: string, links: readonly string[]): TreeFile {
  const lines = [
    '<!DOCTYPE html>',
    '<html lang="en">',
    `<head><meta charset="utf-8"><meta name="pypi:repository-version" content="1.0"><title>${title}</title></head>`,
    '<body>',
    ...links.map((link) => `${link}<br>`),
    '</body>',
    '</html>',
    '',
  ];
  const bytes = Buffer.from(lines.join('\n'));
  return { path, blob: { digest: digestOf(bytes), size: bytes.length }, executable: false, bytes };
}

function escape(text: string): string {
  return text.replace(/[&<>"'\u0000-\u001f]/g, (character) => `&#${character.charCodeAt(0)};`);
}
