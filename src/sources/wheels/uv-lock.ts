import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { parseToml } from '../../io/toml.ts';
import type { RequirementsFile } from '../../manifest/requirements.ts';
import { normaliseProject } from '../../oci/wheel-name.ts';
import { digestsOf, hashesIn } from './hashes.ts';
import { onlySources, refuseOtherPython } from './lock-refusals.ts';
import type { RefuseLock } from './lock-refusals.ts';
import { parseMarker } from './marker.ts';
import { offerOf } from './offer.ts';
import type { Offer } from './offer.ts';
import type { WheelTarget } from './target.ts';
import type { Wanted } from './wanted.ts';
import { fileNameOf } from './written.ts';

const text = z.string();
const Dependency = z.looseObject({
  name: text,
  version: text.optional(),
  marker: text.optional(),
  extra: z.array(text).optional(),
});
type Dependency = z.infer<typeof Dependency>;
const Package = z.looseObject({
  name: text,
  version: text.optional(),
  source: z.record(z.string(), z.unknown()),
  'resolution-markers': z.array(text).optional(),
  dependencies: z.array(Dependency).optional(),
  'optional-dependencies': z.record(z.string(), z.array(Dependency)).optional(),
  wheels: z
    .array(z.looseObject({ url: text.optional(), hash: text.optional(), size: z.int().nonnegative().optional() }))
    .optional(),
});
type Package = z.infer<typeof Package>;
const UvLock = z.looseObject({
  version: z.int(),
  'requires-python': text.optional(),
  manifest: z.looseObject({ members: z.array(text).optional() }).optional(),
  package: z.array(Package).optional(),
});
type UvLock = z.infer<typeof UvLock>;

/**
 * What `uv.lock` comes to for targets: what its projects need to run; neither their extras nor their development groups. Its format is
 * uv's own and not described anywhere: what is not known here is passed over.
 * @throws `manifest-invalid` where it cannot be read, is not for a target's Python, or has a package without wheels
 */
export function readUvLock({ file, text: written }: RequirementsFile): (target: WheelTarget) => readonly Wanted[] {
  const lock = parseToml(written, { file, schema: UvLock, code: 'manifest-invalid' });
  const refuse: RefuseLock = (said, hint) => {
    throw new DrayError('manifest-invalid', `${printable(file)}: ${said}`, hint === undefined ? {} : { hint });
  };
  if (lock.version !== 1)
    refuse(
      `expected version 1, found ${lock.version}`,
      '`uv export --format requirements-txt` writes what is read here',
    );
  const roots = rootsOf(lock);
  if (roots.length === 0)
    refuse('expected a project, found none', '`uv export --format requirements-txt` writes what is read here');
  return (target) => {
    refuseOtherPython(lock['requires-python'], target, refuse);
    return reached(lock, roots, target, refuse).map(({ found, extras }) => wantedFrom(found, extras, file, refuse));
  };
}

/** The projects themselves, which are not carried. */
function rootsOf({ manifest, package: packages = [] }: UvLock): readonly Package[] {
  const members = manifest?.members;
  return packages.filter(({ name, source }) => (members === undefined ? isOwn(source) : members.includes(name)));
}

function isOwn(source: Package['source']): boolean {
  return 'virtual' in source || 'editable' in source;
}

interface Reached {
  readonly found: Package;
  readonly extras: Set<string>;
}

/** Everything that a target needs, followed from the projects; each package once, with all extras that are asked of it. */
function reached(lock: UvLock, roots: readonly Package[], target: WheelTarget, refuse: RefuseLock): readonly Reached[] {
  const seen = new Map<Package, Reached>();
  const queue: { readonly from: Package; readonly extra: string | undefined }[] = roots.map((from) => ({
    from,
    extra: undefined,
  }));
  for (const { from, extra } of queue) {
    const wanted = extra === undefined ? from.dependencies : from['optional-dependencies']?.[extra];
    for (const dependency of wanted ?? []) {
      if (!holds(dependency.marker, target, refuse)) continue;
      const found = packageOf(lock, dependency, target, refuse);
      const known = seen.get(found);
      const now = known ?? { found, extras: new Set<string>() };
      seen.set(found, now);
      if (known === undefined) queue.push({ from: found, extra: undefined });
      for (const one of dependency.extra ?? []) {
        if (now.extras.has(one)) continue;
        now.extras.add(one);
        queue.push({ from: found, extra: one });
      }
    }
  }
  return [...seen.values()].filter(({ found }) => !roots.includes(found));
}

function packageOf(
  { package: packages = [] }: UvLock,
  { name, version }: Dependency,
  target: WheelTarget,
  refuse: RefuseLock,
): Package {
  const named = packages.filter((one) => one.name === name && (version === undefined || one.version === version));
  const fitting = named.filter(
    (one) => one['resolution-markers']?.some((marker) => holds(marker, target, refuse)) !== false,
  );
  const [found] = fitting.length === 0 ? named : fitting;
  return (
    found ??
    refuse(
      `lacks ${printable(name)} ${printable(version ?? '')}, which it names`.replace(' ,', ','),
      '`uv lock` writes it anew',
    )
  );
}

function holds(marker: string | undefined, { environment }: WheelTarget, refuse: RefuseLock): boolean {
  if (marker === undefined) return true;
  return (parseMarker(marker) ?? refuse(`expected a marker, found ${printable(marker)}`))(environment);
}

function wantedFrom(found: Package, extras: ReadonlySet<string>, file: string, refuse: RefuseLock): Wanted {
  const { name, source, wheels = [] } = found;
  const kind = Object.keys(source)[0] ?? 'nothing';
  if (kind !== 'registry' && kind !== 'url')
    refuse(
      `${printable(name)}: expected a published wheel, found one by ${printable(kind)}`,
      'build a wheel of it, and carry the directory by `path`',
    );
  const index = typeof source['registry'] === 'string' ? source['registry'] : undefined;
  const offers = wheels.flatMap((wheel) => offered(wheel, index, name, refuse) ?? []);
  const version = found.version ?? offers[0]?.name.version;
  if (offers.length === 0 || version === undefined) return onlySources(`${name} ${version ?? ''}`.trim(), refuse);
  return { project: normaliseProject(name), version, extras: [...extras], hashes: [], offers, place: printable(file) };
}

function offered(
  { url, hash, size }: NonNullable<Package['wheels']>[number],
  index: string | undefined,
  name: string,
  refuse: RefuseLock,
): Offer | undefined {
  if (url === undefined) return undefined;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return refuse(`${printable(name)}: expected a URL, https://…`);
  const strong = hashesIn(
    hash === undefined ? [] : [hash],
    (said) => new DrayError('manifest-invalid', `${printable(name)}: ${said}`),
  );
  const [digest] = digestsOf(strong);
  const clean = new URL(url);
  clean.username = clean.password = clean.hash = '';
  const from = index === undefined || !/^https?:/i.test(index) ? undefined : index;
  return offerOf(fileNameOf(url) ?? '', clean.href, {
    digest,
    size,
    index: from,
    hashes: digest === undefined ? strong : [],
  });
}
