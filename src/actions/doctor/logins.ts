import { findProgram } from '../../io/find-program.ts';
import { printable } from '../../io/safe-path.ts';
import { readLoginFiles } from '../../registry/login-file.ts';
import type { LoginFile } from '../../registry/login-file.ts';
import type { DoctorOptions } from '../options.ts';
import { ok, warning } from './probe.ts';
import type { Found, Probe } from './probe.ts';

/** Can the files of Docker and podman be read, and are the helpers there that they name for these hosts? */
export function loginsProbe(hosts: readonly string[], environment: DoctorOptions['environment']): Probe {
  return {
    name: 'logins',
    run: async () => {
      const files = await readLoginFiles(environment);
      const missing = files.flatMap((file) => missingHelpers(file, hosts, environment['PATH'] ?? ''));
      if (missing.length > 0) return missing;
      return ok(
        files.length === 0 ? 'none kept for Docker or podman' : files.map(({ path }) => printable(path)).join(', '),
      );
    },
  };
}

function missingHelpers(
  { path, credHelpers, credsStore }: LoginFile,
  hosts: readonly string[],
  programs: string,
): readonly Found[] {
  const own = [...credHelpers].filter(([host]) => hosts.includes(host)).map(([, helper]) => helper);
  const wanted = new Set([...own, ...(credsStore === undefined ? [] : [credsStore])]);
  return [...wanted]
    .map((helper) => `docker-credential-${helper}`)
    .filter((program) => findProgram(program, programs) === undefined)
    .map((program) =>
      warning(
        `${printable(path)} names ${printable(program)}, which is not on the PATH`,
        'install it, or log in again without it',
      ),
    );
}
