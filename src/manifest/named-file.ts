import { DrayError } from '../errors.ts';
import { readText } from '../io/bounded-text.ts';
import { errorAt } from '../io/place.ts';
import type { Placed } from './manifest-file.ts';

/** No file of a manifest is larger. */
export const MANIFEST_LIMIT = 1024 * 1024;

/** The text of a file that a manifest names. @throws `manifest-invalid`, at the place that names it */
export async function readNamed({ text: file, place }: Placed): Promise<string> {
  try {
    return await readText(file, { limit: MANIFEST_LIMIT, code: 'manifest-invalid' });
  } catch (error) {
    if (!(error instanceof DrayError) || error.code !== 'manifest-invalid') throw error;
    throw errorAt(place, error.code, error.message);
  }
}
