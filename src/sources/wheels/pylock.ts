import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { parseToml } from '../../io/toml.ts';
import type { RequirementsFile } from '../../manifest/requirements.ts';
import { normaliseProject } from '../../oci/wheel-name.ts';
import { digestsOf, hashesIn } from './hashes.ts';
import { parseMarker } from './marker.ts';
import type { MarkerEnvironment } from './marker.ts';
import { offerOf } from './offer.ts';
import type { Offer } from './offer.ts';
import { onlySources, refuseOtherPython } from './lock-refusals.ts';
import type { WheelTarget } from './target.ts';
import type { Wanted } from './wanted.ts';
import { fileNameOf } from './written.ts';

const text = z.string();
const hashes = z.record(z.string(), z.string());
const Wheel = z.looseObject({
  name: text.optional(),
  url: text.optional(),
  path: text.optional(),
  size: z.int().nonnegative().optional(),
  hashes,
});
const Package = z.looseObject({
  name: text,
  version: text.optional(),
  marker: text.optional(),
  'requires-python': text.optional(),
  index: text.optional(),
  wheels: z.array(Wheel).optional(),
});
type Package = z.infer<typeof Package>;
const Pylock = z.looseObject({
  'lock-version': text,
  environments: z.array(text).optional(),
  'requires-python': text.optional(),
  'default-groups': z.array(text).optional(),
  packages: z.array(Package),
});

/**
 * What `pylock.toml` (PEP 751; packaging.python.org, pylock-toml) comes to for targets: its default groups, no extra.
 * @throws `manifest-invalid` where it cannot be read, is not meant for a target, or has a package without wheels
 */
export function readPylock({ file, text: written }: RequirementsFile): (target: WheelTarget) => readonly Wanted[] {
  const lock = parseToml(written, { file, schema: Pylock, code: 'manifest-invalid' });
  const refuse = (said: string, hint?: string): never => {
    throw new DrayError('manifest-invalid', `${printable(file)}: ${said}`, hint === undefined ? {} : { hint });
  };
  if (!/^1(?:\.|$)/.test(lock['lock-version']))
    refuse(`expected lock-version 1.0, found ${printable(lock['lock-version'])}`);
  const holds = (marker: string, environment: MarkerEnvironment): boolean =>
    (parseMarker(marker) ?? refuse(`expected a marker, found ${printable(marker)}`))(environment);
  return (target) => {
    const environment = { ...target.environment, extras: [], dependencyGroups: lock['default-groups'] ?? [] };
    refuseOtherPython(lock['requires-python'], target, refuse);
    if (lock.environments?.some((one) => holds(one, environment)) === false)
      refuse(`is not meant for ${target.label}`, 'lock it for that platform as well');
    return lock.packages
      .filter(({ marker }) => marker === undefined || holds(marker, environment))
      .map((found) => wantedFrom(found, file, refuse));
  };
}

function wantedFrom(found: Package, file: string, refuse: (said: string, hint?: string) => never): Wanted {
  const { name, wheels = [], index } = found;
  const offers = wheels.flatMap((wheel) => offered(wheel, found, refuse) ?? []);
  const [first] = offers;
  const version = found.version ?? first?.name.version;
  if (first === undefined || version === undefined) return onlySources(`${name} ${version ?? ''}`.trim(), refuse);
  const place = printable(file);
  const known = index === undefined ? offers : offers.map((offer) => ({ ...offer, index }));
  return { project: normaliseProject(name), version, extras: [], hashes: [], offers: known, place };
}

function offered(
  { name, url, path, size, hashes: stated }: z.infer<typeof Wheel>,
  found: Package,
  refuse: (said: string) => never,
): Offer | undefined {
  const subject = `${printable(found.name)}: `;
  if (url === undefined)
    return refuse(
      `${subject}expected a URL, found ${path === undefined ? 'none' : `the local path ${printable(path)}`}`,
    );
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return refuse(`${subject}expected a URL, https://…`);
  const strong = hashesIn(
    Object.entries(stated).map(([algorithm, hex]) => `${algorithm}:${hex}`),
    (said) => new DrayError('manifest-invalid', `${subject}${said}`),
  );
  const [digest] = digestsOf(strong);
  if (strong.length === 0) return refuse(`${subject}expected a hash of every wheel, found none`);
  const clean = new URL(url);
  clean.username = clean.password = clean.hash = '';
  const requiresPython = found['requires-python'];
  return offerOf(name ?? fileNameOf(url) ?? '', clean.href, {
    digest,
    size,
    requiresPython,
    hashes: digest === undefined ? strong : [],
  });
}
