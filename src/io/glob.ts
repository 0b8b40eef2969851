import picomatch from 'picomatch';

/** Does a name match a shell glob in which `*` also stands for slashes? For names of artifacts, not for paths. */
export function matchesGlob(name: string, glob: string): boolean {
  return picomatch.isMatch(name, glob, { bash: true, dot: true, nonegate: true });
}
