import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { normaliseProject } from '../../oci/wheel-name.ts';
import type { WheelName } from '../../oci/wheel-name.ts';
import { parseRequirement } from './requirement.ts';
import type { Requirement } from './requirement.ts';
import { isSameVersion } from './version.ts';

/** What a wheel's METADATA says that matters here (packaging.python.org, core-metadata). */
export interface WheelMetadata {
  readonly requiresPython: string | undefined;
  readonly requires: readonly Requirement[];
}

/** In bytes: some carry their whole manual. */
export const METADATA_LIMIT = 4 * 1024 * 1024;

/**
 * Reads METADATA, whose name and version must be those of the wheel's file name: installers refuse it otherwise.
 * @throws `upstream-invalid`
 */
export function readMetadata(bytes: Uint8Array, { project, version }: WheelName, subject: string): WheelMetadata {
  const headers = headersOf(Buffer.from(bytes).toString('utf8'));
  const one = (key: string): string => headers.get(key)?.[0] ?? '';
  if (normaliseProject(one('name')) !== project || !isSameVersion(one('version'), version))
    throw new DrayError(
      'upstream-invalid',
      `${subject}: expected ${project} ${printable(version)} in its METADATA, found ${printable(`${one('name')} ${one('version')}`.trim() || 'nothing').slice(0, 200)}`,
      { hint: 'no installer takes it: build the wheel again, or take another version' },
    );
  return {
    requiresPython: one('requires-python') || undefined,
    requires: (headers.get('requires-dist') ?? []).flatMap((line) => parseRequirement(line) ?? []),
  };
}

/** The header of a message (RFC 822): what follows the first empty line is text. Names in lower case. */
function headersOf(text: string): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>();
  const [header = ''] = text.split(/\r?\n\r?\n/, 1);
  for (const line of header.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const at = line.indexOf(':');
    const key = line.slice(0, at).trim().toLowerCase();
    if (at > 0) headers.set(key, [...(headers.get(key) ?? []), line.slice(at + 1).trim()]);
  }
  return headers;
}
