import { statSync } from 'node:fs';
import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';
import { printable } from '../../io/safe-path.ts';
import { walk } from '../../io/disk/walk.ts';
import type { FoundFile } from '../../io/disk/walk.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { Entry } from '../../manifest/manifest.ts';
import { WHEEL } from '../../oci/media-types.ts';
import { parseWheelName } from '../../oci/wheel-name.ts';
import { fetchFiles, pinFiles } from '../named-files.ts';
import { entryInvalid, forEntry, localPath } from '../pinned.ts';
import { lastName } from '../placement.ts';
import type { Source, SourceEnvironment } from '../source.ts';
import { inspectWheel } from './inspect.ts';
import { WHEELS } from './layers.ts';

/** `wheels` by `path`: the wheels that lie straight in a directory. */
export const wheelPathSource: Source = {
  kind: 'wheels',
  origin: 'path',
  resolve: (entry, into, env) =>
    forEntry(entry, async () => {
      const found = await wheelsIn(entry, env);
      const files = found.map((file) => ({ ...file, executable: false, mediaType: WHEEL }));
      const locked = await pinFiles(entry, { name: wheelhouse(entry, env.directory), files, shape: WHEELS }, into, env);
      await inspectAll(entry, locked, env);
      return [locked];
    }),
  fetch: (locked, into, env) => fetchFiles(locked, WHEELS, into, env),
};

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
  const odd = wheels.find(({ title }) => parseWheelName(title) === undefined);
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

/** A wheel that no installer would take is an error here, where it can be built again. @throws `manifest-invalid` */
async function inspectAll(entry: Entry, { blobs }: LockedArtifact, { ctx, store }: SourceEnvironment): Promise<void> {
  const wheels = blobs.filter(({ title }) => title !== undefined);
  await parallel(wheels, ctx, async (wheel) => {
    try {
      await inspectWheel(wheel.title ?? '', wheel, store);
    } catch (error) {
      if (!(error instanceof DrayError) || error.code !== 'upstream-invalid') throw error;
      throw entryInvalid(entry, error.message, error.hint);
    }
  });
}

function wheelhouse(entry: Entry, directory: string): string {
  const { name } = entry.asked;
  return entry.as ?? (typeof name === 'string' ? name : lastName(entry, directory));
}

function listed(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, 5).map(printable).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
