import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { printable } from '../../io/safe-path.ts';
import type { Digest } from '../../oci/digest.ts';
import { recordKey } from './tree-shape.ts';
import type { TreeJob, TreeSession } from './tree-shape.ts';
import { inTheWay, nameTaken } from './sight.ts';
import type { TreeFile } from './tree-file.ts';

/** What of a directory that an artifact has for itself is there already. */
export interface TreeSurvey {
  /** Exactly the artifact's files are there, all of them right. */
  readonly settled: boolean;
  /** Is there a directory that must make way? */
  readonly occupied: boolean;
  /** Files whose content is nowhere in the directory and must come. */
  readonly missing: readonly TreeFile[];
  /** Content of the artifact that the directory has, under this name or another, by its path. */
  readonly local: ReadonlyMap<Digest, string>;
  /** Files of an older version that the new one does not have. */
  readonly outdated: readonly string[];
}

/**
 * Looks at the directory of a delivery's name.
 * @throws `name-taken` where it, or a file in it, is not dray's and not just what is delivered
 */
export async function surveyTree({ delivery, files }: TreeJob, session: TreeSession): Promise<TreeSurvey> {
  const { root } = session;
  refuseAbove(delivery.name, session);
  const found = session.sight.find(delivery.name);
  if (found.type === 'obstacle') throw inTheWay(root, found);
  if (found.type === 'file') throw inTheWay(root, { at: delivery.name, is: 'a file' });
  if (found.type === 'nothing')
    return { settled: false, occupied: false, missing: files, local: new Map(), outdated: [] };

  const wanted = new Map(files.map((file) => [file.path, file]));
  const digests = new Set(files.map(({ blob }) => blob.digest));
  const local = new Map<Digest, string>();
  const outdated: string[] = [];
  let right = 0;
  for (const path of listFiles(root, delivery.name)) {
    const file = wanted.get(path);
    refuseWithin(delivery.name, path, session);
    const has = await contentOf(path, file, session);
    if (has !== undefined && digests.has(has) && !local.has(has)) local.set(has, path);
    if (file !== undefined && has === file.blob.digest) right++;
    if (file === undefined) outdated.push(path);
  }
  return {
    settled: right === files.length && outdated.length === 0,
    occupied: true,
    missing: files.filter(({ blob }) => !local.has(blob.digest)),
    local,
    outdated,
  };
}

/** Everything below a directory that is not a directory, as paths relative to the root, in no order. */
export function listFiles(root: string, directory: string): readonly string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    return entry.isDirectory() ? listFiles(root, path) : [path];
  });
}

/** The digest of a file where that is known, or where a delivered file stands in its place. */
async function contentOf(
  path: string,
  wanted: TreeFile | undefined,
  session: TreeSession,
): Promise<Digest | undefined> {
  const { root, sight } = session;
  const found = sight.find(path);
  if (found.type !== 'file') throw nameTaken(root, path, 'expected a file, found something else');
  if (wanted !== undefined && (await sight.is(path, wanted.blob, found.stats))) return wanted.blob.digest;
  if (!sight.isOurs(path)) throw nameTaken(root, path, 'dray did not put this file there, and would remove it');
  return sight.known(path, found.stats)?.digest;
}

/** Models do not lie in one another: replacing the outer one would remove the inner. */
function refuseAbove(name: string, { root, journal, sight }: TreeSession): void {
  for (let above = dirname(name); above !== '.'; above = dirname(above))
    if (journal.get(recordKey({ kind: 'models' }, above)) !== undefined && sight.find(above).type === 'directory')
      throw nameTaken(root, above, 'is a model of its own, expected a directory of models');
}

function refuseWithin(name: string, path: string, { root, journal }: TreeSession): void {
  for (let within = dirname(path); within !== name; within = dirname(within))
    if (journal.get(recordKey({ kind: 'models' }, within)) !== undefined)
      throw nameTaken(root, within, `is a model of its own, and would go with an older ${printable(name)}`);
}
