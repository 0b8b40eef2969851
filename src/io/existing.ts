import { DrayError } from '../errors.ts';

/** What another side has; undefined where it says that there is nothing. */
export async function existing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof DrayError && error.code === 'not-found') return undefined;
    throw error;
  }
}
