import { parseSpecifiers } from './specifier.ts';
import type { WheelTarget } from './target.ts';
import { printable } from '../../io/safe-path.ts';

/** Fails with what a lock of somebody else's gets wrong. */
export type RefuseLock = (said: string, hint?: string) => never;

/** `requires-python` of a lock: it says nothing of other versions. */
export function refuseOtherPython(
  requires: string | undefined,
  { python, label }: WheelTarget,
  refuse: RefuseLock,
): void {
  const allowed = requires === undefined ? undefined : parseSpecifiers(requires);
  const full = python.split('.').length > 2 ? python : `${python}.99`;
  if (allowed?.contains(full) === false)
    refuse(`is for Python ${printable(requires ?? '')}, not for ${label}`, 'lock it for that version as well');
}

export function onlySources(subject: string, refuse: RefuseLock): never {
  return refuse(
    `${printable(subject)}: expected wheels, found none`,
    'build one where its platform is at hand, `python -m pip wheel --no-deps`, and carry the directory by `path`',
  );
}
