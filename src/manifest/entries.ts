import { dirname, relative, resolve, sep } from 'node:path';
import { parseDigestText, checkEntry, checkReference } from './entry-checks.ts';
import { spellOut } from './entry-fields.ts';
import type { Fields } from './entry-fields.ts';
import { readList } from './list-file.ts';
import type { Placed, WrittenEntry } from './manifest-file.ts';
import type { Entry } from './manifest.ts';
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

type Shape = Pick<Entry, 'as' | 'platforms' | 'ownPlatforms' | 'referrers' | 'sha256'>;

/** One entry; of a list as many as it has lines. @throws `manifest-invalid`, `not-supported` */
export async function entriesOf(written: WrittenEntry, frame: Frame): Promise<readonly Entry[]> {
  const { origin, fields } = spellOut(written);
  checkEntry(written, origin, fields);
  const { kind } = written;
  const groups = frame.groupsOf(usedGroups(written, fields));
  const shape = shapeOf(written, fields, frame);
  const options = optionsAsked(shape, fields);
  if (origin !== 'list') {
    const { value, spelled } = valueOf(written, origin, fields, frame);
    return [{ kind, origin, value, groups, ...shape, asked: { [origin]: spelled, ...options }, where: written.at() }];
  }
  const lines = await readList(fields.list ?? '', written, frame.environment);
  return lines.map(({ text, place }) => {
    checkReference(text, place);
    return { kind, origin: 'ref', value: text, groups, ...shape, asked: { ref: text, ...options }, where: place };
  });
}

function usedGroups(written: WrittenEntry, { group }: Fields): readonly Placed[] {
  return group === undefined
    ? written.defaultGroups
    : group.map((text, i) => ({ text, place: written.at('group', i) }));
}

function shapeOf({ kind }: WrittenEntry, fields: Fields, frame: Frame): Shape {
  const own = fields.platforms ?? [];
  const platforms = kind !== 'images' ? [] : own.length > 0 ? own : frame.platforms;
  return {
    ...(fields.as === undefined ? {} : { as: fields.as }),
    platforms: effectivePlatforms(platforms),
    ownPlatforms: kind === 'images' && own.length > 0,
    referrers: fields.referrers ?? true,
    ...(fields.sha256 === undefined ? {} : { sha256: parseDigestText(fields.sha256) }),
  };
}

/** Each once; none where `all` was said. */
export function effectivePlatforms(written: readonly string[]): readonly string[] {
  return written.includes('all') ? [] : [...new Set(written)];
}

/** What the lock records beside the origin, in this order. */
function optionsAsked(
  { as, platforms, referrers, sha256 }: Shape,
  { name }: Fields,
): Readonly<Record<string, unknown>> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(as === undefined ? {} : { as }),
    ...(platforms.length === 0 ? {} : { platforms }),
    ...(referrers ? {} : { referrers }),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

function valueOf(
  { file }: WrittenEntry,
  origin: Exclude<keyof Fields, 'group' | 'platforms' | 'referrers'>,
  fields: Fields,
  { directory }: Frame,
): { value: string; spelled: string } {
  const written = fields[origin] ?? '';
  if (origin !== 'path') return { value: written, spelled: written };
  const value = resolve(dirname(file), written);
  return { value, spelled: relative(directory, value).split(sep).join('/') || '.' };
}
