/**
 * An error of the operating system with the file that it is about: calls on open files fail without saying which. Anything
 * else comes back as it is.
 */
export function onFile(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || 'path' in error) return error;
  return Object.assign(error, { path });
}
