import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { DrayError, asDrayError } from '../errors.ts';
import type { Environment } from '../io/http/proxy.ts';
import { flag, text } from '../io/yaml/pieces.ts';
import { parseYaml } from '../io/yaml/yaml.ts';
import type { HostAccess } from './network.ts';

/** By host, with its port where it has one, as it is written in references and URLs. */
export type Upstreams = ReadonlyMap<string, HostAccess>;

const httpUrl = text.refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
  error: 'expected a URL that begins with http:// or https://',
});
const noLogin = httpUrl.refine((value) => !URL.canParse(value) || new URL(value).username === '', {
  error: 'expected a URL without a login; logins belong in the file of Docker or podman, or in ~/.netrc',
});
const Entry = z
  .strictObject({
    mirror: noLogin.optional(),
    caFile: text.optional(),
    certFile: text.optional(),
    keyFile: text.optional(),
    plainHttp: flag.optional(),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    error: 'expected certFile and keyFile together',
  });
const UpstreamsFile = z.record(text, Entry).nullable();

/**
 * How hosts are reached: `DRAY_UPSTREAMS`, else `dray/upstreams.yaml` in the user's configuration directory. Paths in it are
 * relative to it. Without a file there is nothing to say.
 * @throws `upstreams-invalid`; `io-failed` where `DRAY_UPSTREAMS` names no file
 */
export async function readUpstreams(environment: Environment): Promise<Upstreams> {
  const { DRAY_UPSTREAMS, XDG_CONFIG_HOME, HOME } = environment;
  const configuration = XDG_CONFIG_HOME || (HOME ? join(HOME, '.config') : undefined);
  const file = DRAY_UPSTREAMS || (configuration && join(configuration, 'dray', 'upstreams.yaml'));
  if (!file) return new Map();
  const found = await readIfThere(file, DRAY_UPSTREAMS !== undefined && DRAY_UPSTREAMS !== '');
  if (found === undefined || found.trim() === '') return new Map();
  const entries = parseYaml(found, { file, schema: UpstreamsFile, code: 'upstreams-invalid' }) ?? {};
  const directory = dirname(resolve(file));
  return new Map(Object.entries(entries).map(([host, entry]) => [checkedHost(host, file), absolute(entry, directory)]));
}

async function readIfThere(file: string, isDemanded: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (!isDemanded && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw asDrayError(error);
  }
}

function checkedHost(host: string, file: string): string {
  if (URL.canParse(`https://${host}/`) && !/[/@?#\s]/.test(host)) return host.toLowerCase();
  throw new DrayError(
    'upstreams-invalid',
    `${file}: expected a host with or without port, found ${JSON.stringify(host)}`,
    {
      where: { file },
    },
  );
}

function absolute(entry: z.infer<typeof Entry>, directory: string): HostAccess {
  const { mirror, plainHttp } = entry;
  const files = (['caFile', 'certFile', 'keyFile'] as const).flatMap((key) => {
    const path = entry[key];
    return path === undefined ? [] : [[key, resolve(directory, path)] as const];
  });
  return {
    ...Object.fromEntries(files),
    ...(mirror === undefined ? {} : { mirror }),
    ...(plainHttp === undefined ? {} : { plainHttp }),
  };
}
