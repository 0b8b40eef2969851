import { DrayError } from '../../errors.ts';
import { foldPath, isSafePath, printable } from '../../io/safe-path.ts';

/**
 * What NGC lists must be files that can be written below any target: relative paths without anything special, each still one
 * file where case or Unicode form does not count. @throws `upstream-invalid`
 */
export function checkListed(paths: readonly string[], subject: string): void {
  if (paths.length === 0) throw invalid(subject, 'has no files');
  const taken = new Map<string, string>();
  for (const path of paths) {
    if (!isSafePath(path)) throw invalid(subject, `${shown(path)} is no path that can be written on every system`);
    const other = taken.get(foldPath(path));
    if (other !== undefined) throw clash(subject, other, path);
    taken.set(foldPath(path), path);
  }
  for (const path of paths)
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const other = taken.get(foldPath(path.slice(0, end)));
      if (other !== undefined) throw clash(subject, other, path);
    }
}

function clash(subject: string, one: string, other: string): DrayError {
  return invalid(
    subject,
    `${shown(one)} and ${shown(other)} would be one where case or Unicode form does not count, or a file and a directory`,
  );
}

function invalid(subject: string, said: string): DrayError {
  return new DrayError('upstream-invalid', `${subject}: ${said}`);
}

function shown(path: string): string {
  return printable(path.slice(0, 200));
}
