import type { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import type { Entry } from '../../manifest/manifest.ts';
import type { About } from '../../oci/shapes.ts';
import { entryInvalid } from '../pinned.ts';

/** How many files one line names. */
const SHOWN = 3;

/** @throws `manifest-invalid` at the entry's line where it refuses pickled files and there are some */
export function refusePickled(entry: Entry, about: About | undefined): void {
  if (entry.refusePickle === true && about?.pickled !== undefined) throw refusal(entry, about.pickled);
}

/** What a warning says of a model with pickled files; undefined for any other. */
export function pickledWarning(name: string, about: About | undefined): string | undefined {
  if (about?.pickled === undefined) return undefined;
  return `${printable(name)}: ${describe(about.pickled)}, which can run code when they are loaded`;
}

function refusal(entry: Entry, pickled: NonNullable<About['pickled']>): DrayError {
  return entryInvalid(
    entry,
    `${printable(String(entry.asked[entry.origin]))}: expected no pickled files (refusePickle), found ${describe(pickled)}`,
    'leave them out (`exclude`), carry the model as safetensors, or drop `refusePickle` if whoever made them is trusted',
  );
}

/** `2 pickled files (a.bin, b.pt)`. */
function describe({ count, files }: NonNullable<About['pickled']>): string {
  const more = count > SHOWN ? `, and ${count - SHOWN} more` : '';
  return `${count} pickled ${count === 1 ? 'file' : 'files'} (${files.slice(0, SHOWN).map(printable).join(', ')}${more})`;
}
