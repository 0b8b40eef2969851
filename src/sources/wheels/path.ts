import { statSync } from 'node:fs';
import { printable } from '../../io/safe-path.ts';
import { walk } from '../../io/disk/walk.ts';
import type { FoundFile } from '../../io/disk/walk.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { WHEEL, WHEELHOUSE } from '../../oci/media-types.ts';
import { fetchFiles, pinFiles } from '../named-files.ts';
import type { Shape } from '../named-files.ts';
import { entryInvalid, forEntry, localPath } from '../pinned.ts';
import { lastName } from '../placement.ts';
import type { Source, SourceEnvironment } from '../source.ts';

const WHEELS: Shape = { artifactType: WHEELHOUSE };

/** `wheels` by `path`: the wheels that lie straight in a directory. */
export const wheelPathSource: Source = {
  kind: 'wheels',
  origin: 'path',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const found = await wheelsIn(entry, env);
      const files = found.map((file) => ({ ...file, executable: false, mediaType: WHEEL }));
      return [await pinFiles(entry, { name: wheelhouse(entry, env.directory), files, shape: WHEELS }, into, env)];
    }),
  fetch: (locked, into, env) => fetchFiles(locked, WHEELS, into, env),
};

/**
 * `{distribution}-{version}(-{build})?-{python}-{abi}-{platform}.whl` (Python packaging, binary-distribution-format), the
 * characters as `packaging.utils.parse_wheel_filename` takes them.
 */
const WHEEL_NAME =
  /^(?![^-]*__)[\p{L}\p{Nd}_.]+-[vV]?\d[A-Za-z0-9_.!+]*(?:-\d[A-Za-z0-9_.]*)?-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+\.whl$/u;

export function isWheelName(name: string): boolean {
  return WHEEL_NAME.test(name);
}

async function wheelsIn(entry: Entry, { ctx, directory }: SourceEnvironment): Promise<readonly FoundFile[]> {
  const subject = `path ${printable(localPath(directory, entry.value))}`;
  if (statSync(entry.value, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw entryInvalid(entry, `${subject}: expected a directory of wheels, found none`);
  const others: string[] = [];
  const wheels = await walk(entry.value, {
    signal: ctx.signal,
    leaveOut: (title, isDirectory) => {
      const other = isDirectory || !/\.whl$/i.test(title);
      if (other) others.push(title);
      return other;
    },
  });
  if (wheels.length === 0) throw entryInvalid(entry, `${subject}: expected wheels (*.whl), found none`);
  const odd = wheels.find(({ title }) => !isWheelName(title));
  if (odd !== undefined)
    throw entryInvalid(
      entry,
      `${printable(odd.title)}: expected NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl, without which no installer takes it`,
    );
  if (others.length > 0)
    ctx.report({
      type: 'warning',
      message: `${subject}: left out what is not a wheel: ${listed(others)}`,
      where: entry.where,
    });
  return wheels;
}

function wheelhouse(entry: Entry, directory: string): string {
  const { name } = entry.asked;
  return entry.as ?? (typeof name === 'string' ? name : lastName(entry, directory));
}

function listed(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, 5).map(printable).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
