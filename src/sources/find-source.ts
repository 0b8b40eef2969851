import { DrayError } from '../errors.ts';
import { errorAt } from '../io/place.ts';
import { printable } from '../io/safe-path.ts';
import type { LockedArtifact } from '../manifest/lock.ts';
import type { Entry } from '../manifest/manifest.ts';
import type { Source } from './source.ts';

/** Apart from the list, so that whoever looks into one that was handed to it loads no source. */

/** The source that answers an entry. @throws `not-supported` where there is none yet */
export function sourceFor({ kind, origin, where }: Entry, sources: readonly Source[]): Source {
  const found = sources.find((source) => source.kind === kind && source.origin === origin);
  if (found === undefined) throw errorAt(where, 'not-supported', `${kind} by ${origin}: not supported yet`);
  return found;
}

/** The source that fetches a locked artifact: the one whose origin key was asked for. @throws `lock-invalid` where there is none */
export function sourceOf({ kind, name, asked }: LockedArtifact, sources: readonly Source[]): Source {
  const found = sources.find((source) => source.kind === kind && source.origin in asked);
  if (found !== undefined) return found;
  const keys = Object.keys(asked).map(printable).join(', ');
  throw new DrayError('lock-invalid', `${printable(name)}: no source of ${kind} answers ${keys}`, {
    where: { artifact: name },
  });
}
