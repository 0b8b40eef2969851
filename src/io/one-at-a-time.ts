/** Work that is under way, by what it must not be done twice for. */
const last = new Map<string, Promise<unknown>>();

/** Does work for one key after the other, in the order in which it was asked for; what fails holds up nobody. */
export async function oneAtATime<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = last.get(key) ?? Promise.resolve();
  const own = before.then(work, work);
  last.set(key, own);
  try {
    return await own;
  } finally {
    if (last.get(key) === own) last.delete(key);
  }
}
