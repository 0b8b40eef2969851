import { DrayError } from '../../errors.ts';
import { errorAt, formatPlace } from '../../io/place.ts';
import { printable } from '../../io/safe-path.ts';
import { digestsOf } from './hashes.ts';
import { offerOf } from './offer.ts';
import type { Offer } from './offer.ts';
import type { WheelTarget } from './target.ts';
import type { Wanted } from './wanted.ts';
import { fileNameOf } from './written.ts';
import type { WrittenRequirement, WrittenRequirements } from './written.ts';
import { shown } from '../remote-content.ts';

/**
 * Are all of these pinned with a hash? None of them has one: somebody else must resolve them.
 * @throws `manifest-invalid` where some have one and others have not, as for pip
 */
export function isHashed(all: readonly WrittenRequirements[]): boolean {
  const requirements = all.flatMap((one) => one.requirements);
  const demanded =
    all.some(({ requireHashes }) => requireHashes) || requirements.some(({ hashes }) => hashes.length > 0);
  const lacking = demanded ? requirements.find(({ hashes }) => hashes.length === 0) : undefined;
  if (lacking !== undefined)
    throw errorAt(
      lacking.place,
      'manifest-invalid',
      `${lacking.project}: has no hash, while others have: expected one for all of them or for none`,
      '`uv pip compile --generate-hashes` writes them',
    );
  return demanded;
}

/**
 * What hashed requirements come to for a target.
 * @throws `manifest-invalid` for one that is not pinned, or that conflicts with a constraint
 */
export function wantedOf({ requirements, constraints }: WrittenRequirements, target: WheelTarget): readonly Wanted[] {
  const holds = ({ marker }: WrittenRequirement): boolean => marker === undefined || marker(target.environment);
  const bounds = constraints.filter(holds);
  return requirements.filter(holds).map((requirement) => {
    const { project, extras, hashes } = requirement;
    const offer = direct(requirement);
    const version = offer?.name.version ?? exactVersion(requirement);
    for (const bound of bounds) if (bound.project === project) refuseConflict(requirement, version, bound);
    return {
      project,
      version,
      extras,
      hashes,
      offers: offer === undefined ? undefined : [offer],
      place: placeOf(requirement),
    };
  });
}

/** `FILE:LINE` */
export function placeOf({ place }: WrittenRequirement): string {
  return formatPlace(place).replace(/:1$/, '');
}

function exactVersion({ specifiers, place, project }: WrittenRequirement): string {
  if (specifiers.exact !== undefined) return specifiers.exact;
  const said = specifiers.text.trim() === '' ? 'no version' : printable(specifiers.text.trim());
  throw errorAt(place, 'manifest-invalid', `${project}: has hashes, so expected ${project}==VERSION, found ${said}`);
}

/** The wheel at the end of a URL. */
function direct({ url, project, hashes, place }: WrittenRequirement): Offer | undefined {
  if (url === undefined) return undefined;
  const address = new URL(url);
  address.hash = '';
  const [digest] = digestsOf(hashes);
  const clean = new URL(address);
  clean.username = clean.password = '';
  const known = { digest: digestsOf(hashes).length === 1 ? digest : undefined, index: address.origin };
  const offer = offerOf(fileNameOf(address.href) ?? '', clean.href, known);
  if (offer === undefined || offer.name.project !== project)
    throw errorAt(
      place,
      'manifest-invalid',
      `${project}: expected the URL of a wheel of it, found ${shown(url)}`,
      'only wheels are carried',
    );
  return offer;
}

function refuseConflict(requirement: WrittenRequirement, version: string, bound: WrittenRequirement): void {
  if (bound.url === undefined && bound.specifiers.contains(version)) return;
  const said = bound.url === undefined ? printable(bound.specifiers.text.trim()) : shown(bound.url);
  throw new DrayError(
    'manifest-invalid',
    `${placeOf(requirement)}: ${requirement.project} ${printable(version)} conflicts with the constraint ${said} at ${placeOf(bound)}`,
    { hint: 'compile the requirements again with this constraint', where: requirement.place },
  );
}
