import { join } from 'node:path';
import { DrayError } from '../errors.ts';

const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?$/i;

const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

/**
 * Is this relative path safe to write below a directory, on any system? No absolute path, no `..`, `.` or empty part, no
 * backslash, drive, control or direction character, no device name, no trailing dot or space, no part over 255 bytes.
 */
export function isSafePath(path: string): boolean {
  return path.length > 0 && Buffer.byteLength(path) <= 1024 && path.isWellFormed() && path.split('/').every(isSafeName);
}

function isSafeName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    Buffer.byteLength(name) <= 255 &&
    !FORBIDDEN.test(name) &&
    !/^[a-zA-Z]:/.test(name) &&
    !/[. ]$/.test(name) &&
    !WINDOWS_DEVICE.test(name)
  );
}

/** A path from outside below a root it can never leave. @throws `bundle-invalid` */
export function safeJoin(root: string, path: string, subject: string): string {
  if (!isSafePath(path))
    throw new DrayError(
      'bundle-invalid',
      `${subject}: the path ${printable(path)} could leave its directory or cannot be stored everywhere`,
    );
  return join(root, path);
}

/** The key under which two paths are one on a file system that ignores case or normalises Unicode. */
export function foldPath(path: string): string {
  return path.normalize('NFC').toLowerCase();
}

/** Text from outside, safe for a terminal: control, direction and line characters are escaped. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
