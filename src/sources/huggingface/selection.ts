import { fnmatch } from '../../io/fnmatch.ts';
import type { Entry } from '../../manifest/manifest.ts';

/**
 * Which paths an entry's globs take, as huggingface_hub's `allow_patterns` and `ignore_patterns` do (utils/_paths.py,
 * `filter_repo_objects`): each a pattern for the whole path, in which `*` also stands for slashes; one that ends with a slash
 * takes all below. What `exclude` takes is left out whatever `include` says.
 */
export function selecting({ include, exclude }: Pick<Entry, 'include' | 'exclude'>): (path: string) => boolean {
  const allowed = include?.map(patternOf);
  const ignored = exclude?.map(patternOf) ?? [];
  return (written) => {
    const path = written.replaceAll('\\', '/');
    return allowed?.some((takes) => takes(path)) !== false && !ignored.some((takes) => takes(path));
  };
}

function patternOf(glob: string): (path: string) => boolean {
  return fnmatch(glob.replaceAll('\\', '/').replace(/\/$/, '/*'));
}
