import { dirname, resolve } from 'node:path';
import { errorAt } from '../io/place.ts';
import { parseYamlWithPositions } from '../io/yaml/yaml.ts';
import type { Positions } from '../io/yaml/yaml.ts';
import type { Site, TargetSpec } from './site.ts';
import { SiteText } from './site-schema.ts';
import type { TargetText } from './site-schema.ts';
import { contradiction, targetSpec, unsupportedKey } from './target-spec.ts';

const STATE = '/var/lib/dray';

/** The text of a site file; relative paths are relative to the file's directory. @throws as `readSite` */
export function parseSite(text: string, file: string): Site {
  const { value, ...positions } = parseYamlWithPositions(text, { file, schema: SiteText, code: 'site-invalid' });
  const base = dirname(resolve(file));
  const path = (written: string): string => resolve(base, written);
  const { name, trust, receiptKey, state = STATE, ignore = [], targets = [], hooks } = value;
  if (trust.keys.length === 0)
    throw errorAt(positions.at(['trust', 'keys']), 'site-invalid', 'trust.keys: expected a key at least, found none');
  return {
    name,
    file: resolve(file),
    trust: {
      keys: trust.keys.map(path),
      threshold: trust.threshold ?? 1,
      require: trust.require ?? {},
      revoked: (trust.revoked ?? []).map(path),
    },
    ...(receiptKey === undefined ? {} : { receiptKey: path(receiptKey) }),
    state: path(state),
    ignore: [...new Set(ignore)],
    targets: targets.map((target, i) => specOf(target, i, base, positions)),
    hooks: {
      ...(hooks?.scan === undefined ? {} : { scan: command(hooks.scan, base) }),
      ...(hooks?.loaded === undefined ? {} : { loaded: command(hooks.loaded, base) }),
    },
  };
}

function specOf(target: TargetText, index: number, base: string, { keyAt }: Positions): TargetSpec {
  const label = `targets[${index}]`;
  const place = (key: string): ReturnType<typeof keyAt> => keyAt(['targets', index, key]);
  const later = unsupportedKey(target);
  if (later !== undefined) throw errorAt(place(later), 'not-supported', `${label}.${later}: not supported yet`);
  const wrong = contradiction(target);
  if (wrong !== undefined) throw errorAt(place(wrong.key), 'site-invalid', `${label}.${wrong.key}: ${wrong.message}`);
  const spec = targetSpec(target, base);
  if (spec === undefined)
    throw errorAt(place(target.key), 'not-supported', `${label}.${target.key}: not supported yet`);
  return spec;
}

/** A command with a slash is a path, relative to the site file; without one it is looked for on the PATH. */
function command(written: string, base: string): string {
  return written.includes('/') ? resolve(base, written) : written;
}
