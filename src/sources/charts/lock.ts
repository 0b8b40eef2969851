import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Chart } from './chart.ts';
import type { Dependency } from './metadata.ts';
import { goDependency, goJson } from './go-json.ts';

/** A dependency with its repository's address, and the version or range to look for. */
export interface PlannedDependency {
  readonly name: string;
  readonly repository: string;
  readonly version: string;
}

/**
 * What a chart's dependencies are to come to: as its Chart.lock says, else as its Chart.yaml asks. `addresses` are those that
 * Helm knows by name, for `@name` and `alias:name`.
 * @throws `manifest-invalid` where Chart.lock is not of this Chart.yaml, as `helm dependency build` finds; where a name is not
 * known
 */
export function planDependencies(
  { subject, metadata, lock, missing }: Chart,
  addresses: ReadonlyMap<string, string>,
): readonly PlannedDependency[] {
  const asked = metadata.dependencies.map((dependency, place) => {
    const repository = addressOf(dependency, addresses) ?? lock?.dependencies[place]?.repository;
    if (repository !== undefined) return { ...dependency, repository };
    const { name, repository: alias } = dependency;
    throw new DrayError(
      'manifest-invalid',
      `${printable(subject)}: ${printable(name)} is from ${printable(alias)}, which names no repository here`,
      { hint: '`helm repo add NAME URL` gives a repository its name, or write its address into Chart.yaml' },
    );
  });
  if (lock !== undefined && !isLockOf(asked, metadata.dependencies, lock)) throw outOfStep(subject);
  return asked.flatMap(({ name, repository, version }, place) =>
    missing.includes(metadata.dependencies[place] as Dependency)
      ? [{ name, repository, version: lock?.dependencies[place]?.version ?? version }]
      : [],
  );
}

/** Undefined for a name that Helm does not know. */
function addressOf({ repository }: Dependency, addresses: ReadonlyMap<string, string>): string | undefined {
  const [, alias] = /^(?:@|alias:)(.*)$/.exec(repository) ?? [];
  return alias === undefined ? repository : addresses.get(alias);
}

/** Helm's sum over both lists (helm, internal/resolver, HashReq); Helm 2 had one over what was asked. */
function isLockOf(
  asked: readonly Dependency[],
  written: readonly Dependency[],
  { dependencies, digest }: NonNullable<Chart['lock']>,
): boolean {
  const sums = [
    [asked.map(goDependency), dependencies.map(goDependency)],
    { dependencies: written.map(goDependency) },
  ].map((value) => digestOf(Buffer.from(goJson(value))));
  return dependencies.length === asked.length && [...sums, ...sums.map((sum) => sum.slice(7))].includes(digest);
}

function outOfStep(subject: string): DrayError {
  return new DrayError('manifest-invalid', `${printable(subject)}: its Chart.lock is not of this Chart.yaml`, {
    hint: 'run `helm dependency update` on the chart, or remove its Chart.lock',
  });
}
