import { dirname, relative, resolve, sep } from 'node:path';
import { checkEntry, checkReference, parseSha256 } from './entry-checks.ts';
import { spellOut } from './entry-fields.ts';
import type { Fields, SpelledEntry } from './entry-fields.ts';
import { readList } from './list-file.ts';
import type { Placed, WrittenEntry } from './manifest-file.ts';
import type { Entry } from './manifest.ts';
import { prefixed } from './reference-text.ts';
import type { Environment } from './variables.ts';

/** What holds for all entries of a manifest. */
export interface Frame {
  /** The manifest's directory, absolute. */
  readonly directory: string;
  /** What the top of the manifest says; empty means all. */
  readonly platforms: readonly string[];
  /** Groups by name, checked, in the order of `groups`. */
  readonly groupsOf: (used: readonly Placed[]) => readonly string[];
  readonly environment: Environment;
}

/** One entry; of a list as many as it has lines. @throws `manifest-invalid`, `not-supported` */
export async function entriesOf(written: WrittenEntry, frame: Frame): Promise<readonly Entry[]> {
  const { origin, fields } = spellOut(written);
  checkEntry(written, origin, fields);
  const groups = frame.groupsOf(usedGroups(written, fields));
  if (origin !== 'list') return [entry(written, { origin, fields, groups, where: written.at() }, frame)];
  const lines = await readList(fields.list ?? '', written, frame.environment);
  return lines.map(({ text, place }) => {
    checkReference('images', text, place);
    return entry(written, { origin: 'ref', fields: { ...fields, ref: text }, groups, where: place }, frame);
  });
}

/** Each once; none where `all` was said. */
export function effectivePlatforms(written: readonly string[]): readonly string[] {
  return written.includes('all') ? [] : [...new Set(written)];
}

interface Said {
  readonly origin: Exclude<SpelledEntry['origin'], 'list'>;
  readonly fields: Fields;
  readonly groups: readonly string[];
  readonly where: Entry['where'];
}

function usedGroups(written: WrittenEntry, { group }: Fields): readonly Placed[] {
  return group === undefined
    ? written.defaultGroups
    : group.map((text, i) => ({ text, place: written.at('group', i) }));
}

function entry({ kind, file }: WrittenEntry, { origin, fields, groups, where }: Said, frame: Frame): Entry {
  const { name, version, vendor = false, track, referrers = true, foreignLayers = false } = fields;
  const text = fields[origin] ?? '';
  const value = origin === 'path' ? resolve(dirname(file), text) : text;
  const as =
    kind === 'images' && origin === 'ref' && fields.as?.endsWith('/') === true ? prefixed(fields.as, text) : fields.as;
  const own = kind === 'images' ? (fields.platforms ?? []) : [];
  const platforms = kind !== 'images' ? [] : effectivePlatforms(own.length > 0 ? own : frame.platforms);
  const shared = {
    ...(as === undefined ? {} : { as }),
    ...(fields.sha256 === undefined ? {} : { sha256: parseSha256(fields.sha256) }),
  };
  const asked = {
    [origin]: origin === 'path' ? localPath(frame.directory, value) : text,
    ...(name === undefined ? {} : { name }),
    ...(platforms.length === 0 ? {} : { platforms: [...platforms].sort() }),
    ...(referrers ? {} : { referrers }),
    ...(foreignLayers ? { foreignLayers } : {}),
    ...(track === undefined ? {} : { track }),
    ...(version === undefined ? {} : { version }),
    ...(vendor ? { vendor } : {}),
    ...chosen(fields),
    ...shared,
  };
  const options = { platforms, ownPlatforms: own.length > 0, referrers, ...(foreignLayers ? { foreignLayers } : {}) };
  return {
    kind,
    origin,
    value,
    groups,
    ...shared,
    ...options,
    ...(track === undefined ? {} : { track }),
    ...(kind === 'charts' ? chartOptions(fields) : {}),
    ...chosen(fields),
    ...(fields.refusePickle === true ? { refusePickle: true } : {}),
    asked,
    where,
  };
}

/** What is carried of a model or a dataset. Not what is refused: a pin stands, or is refused, whatever it was asked with. */
function chosen({ revision, include, exclude }: Fields): Pick<Entry, 'revision' | 'include' | 'exclude'> {
  return {
    ...(revision === undefined ? {} : { revision }),
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
  };
}

function chartOptions({ name, version, vendor }: Fields): Pick<Entry, 'name' | 'version' | 'vendor'> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(vendor === true ? { vendor } : {}),
  };
}

/** A local path as the lock spells it: relative to the manifest's directory, with forward slashes. */
function localPath(directory: string, path: string): string {
  return relative(directory, path).split(sep).join('/') || '.';
}
