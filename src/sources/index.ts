import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { errorAt } from '../io/place.ts';
import type { Entry } from '../manifest/manifest.ts';
import type { LockedArtifact } from '../manifest/lock.ts';
import { chartPathSource } from './charts/path.ts';
import { chartRefSource } from './charts/ref.ts';
import { chartRepoSource } from './charts/repo.ts';
import { datasetHubSource } from './files/hf.ts';
import { fileNgcSource } from './files/ngc.ts';
import { filePathSource } from './files/path.ts';
import { fileUrlSource } from './files/url.ts';
import { imagePathSource } from './images/path.ts';
import { imageRefSource } from './images/ref.ts';
import { modelHubSource } from './models/hf.ts';
import { modelNgcSource } from './models/ngc.ts';
import { modelPathSource } from './models/path.ts';
import type { Source } from './source.ts';
import { wheelPathSource } from './wheels/path.ts';
import { wheelRequirementsSource } from './wheels/requirements.ts';

/** Every way to come by artifacts. A new one is one file and one line here. */
export const SOURCES: readonly Source[] = [
  imageRefSource,
  imagePathSource,
  chartRefSource,
  chartRepoSource,
  chartPathSource,
  wheelRequirementsSource,
  wheelPathSource,
  modelPathSource,
  modelHubSource,
  modelNgcSource,
  filePathSource,
  fileUrlSource,
  datasetHubSource,
  fileNgcSource,
];

/** The source that answers an entry. @throws `not-supported` where there is none yet */
export function sourceFor({ kind, origin, where }: Entry, sources: readonly Source[] = SOURCES): Source {
  const found = sources.find((source) => source.kind === kind && source.origin === origin);
  if (found === undefined) throw errorAt(where, 'not-supported', `${kind} by ${origin}: not supported yet`);
  return found;
}

/** The source that fetches a locked artifact: the one whose origin key was asked for. @throws `lock-invalid` where there is none */
export function sourceOf({ kind, name, asked }: LockedArtifact, sources: readonly Source[] = SOURCES): Source {
  const found = sources.find((source) => source.kind === kind && source.origin in asked);
  if (found !== undefined) return found;
  const keys = Object.keys(asked).map(printable).join(', ');
  throw new DrayError('lock-invalid', `${printable(name)}: no source of ${kind} answers ${keys}`, {
    where: { artifact: name },
  });
}
