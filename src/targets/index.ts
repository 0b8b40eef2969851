import type { Context } from '../context.ts';
import type { TargetSpec } from '../site/site.ts';
import { directoryTarget } from './disk/directory.ts';
import { hubCacheTarget } from './disk/hub-cache.ts';
import { modelCacheTarget } from './disk/model-cache.ts';
import { ociLayoutTarget } from './disk/oci-layout.ts';
import { registryTarget } from './registry/registry.ts';
import { S3Target } from './s3/s3.ts';
import type { Journal, Target } from './target.ts';

/** What targets lean on. */
export interface TargetDependencies {
  readonly ctx: Context;
  /** The journal of the target with this URI; asked for when it is opened, never for one that is only looked at. */
  readonly journal: (uri: string) => Journal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of this process, for locks. */
  readonly pid: number;
  /** Milliseconds that a server may leave a request without an answer; default `PATIENCE`. */
  readonly patience?: number;
}

/** Targets made so far that hold their place alone, by URI, for each set of dependencies. */
const shared = new WeakMap<TargetDependencies, Map<string, Target>>();

/**
 * A target as the site file or `--to` describes it. Nothing is looked at or made before it is opened. Entries of a site
 * that name one directory (with other groups, say) share one target, which holds its lock once.
 */
export function openTarget(spec: TargetSpec, dependencies: TargetDependencies): Target {
  const target = make(spec, dependencies);
  if (spec.type === 'registry') return target;
  const made = shared.get(dependencies) ?? new Map<string, Target>();
  shared.set(dependencies, made);
  const first = made.get(target.uri) ?? target;
  made.set(target.uri, first);
  return first;
}

/** The list: a new kind of target is one line here. */
function make(spec: TargetSpec, dependencies: TargetDependencies): Target {
  switch (spec.type) {
    case 'registry':
      return registryTarget(spec, dependencies);
    case 's3':
      return new S3Target(spec, dependencies);
    case 'model-cache':
      return spec.layout === 'hf'
        ? hubCacheTarget(spec.directory, dependencies)
        : modelCacheTarget(spec.directory, dependencies);
    case 'directory':
      return directoryTarget(spec.directory, dependencies);
    case 'oci-layout':
      return ociLayoutTarget(spec.directory, dependencies);
  }
}
