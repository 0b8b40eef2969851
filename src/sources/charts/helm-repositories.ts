import { join } from 'node:path';
import * as z from 'zod';
import { existsSync } from 'node:fs';
import { readText } from '../../io/bounded-text.ts';
import { parseYaml } from '../../io/yaml/yaml.ts';

const Repositories = z.looseObject({
  repositories: z.array(z.looseObject({ name: z.string(), url: z.string() })).nullish(),
});

/**
 * The repositories that `helm repo add` has given names, by name: from `HELM_REPOSITORY_CONFIG`, else `repositories.yaml` in
 * Helm's configuration directory. The logins in that file are not looked at.
 * @throws `manifest-invalid` where there is such a file and it cannot be read
 */
export async function helmRepositories(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ReadonlyMap<string, string>> {
  const file = fileOf(environment);
  if (file === undefined || !existsSync(file)) return new Map();
  const text = await readText(file, { limit: 1024 * 1024, code: 'manifest-invalid' });
  if (text.trim() === '') return new Map();
  const schema = Repositories;
  const { repositories } = parseYaml(text, { file, schema, code: 'manifest-invalid', aliases: 'bounded' });
  return new Map((repositories ?? []).map(({ name, url }) => [name, url]));
}

/** helm, pkg/helmpath: HELM_CONFIG_HOME, else the user's configuration directory. */
function fileOf(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { HELM_REPOSITORY_CONFIG, HELM_CONFIG_HOME, XDG_CONFIG_HOME, HOME } = environment;
  const mac = HOME ? join(HOME, 'Library', 'Preferences') : undefined;
  const user = HOME ? join(HOME, '.config') : undefined;
  const base = XDG_CONFIG_HOME || (mac !== undefined && existsSync(join(mac, 'helm')) ? mac : user);
  const home = HELM_CONFIG_HOME || (base ? join(base, 'helm') : undefined);
  return HELM_REPOSITORY_CONFIG || (home === undefined ? undefined : join(home, 'repositories.yaml'));
}
