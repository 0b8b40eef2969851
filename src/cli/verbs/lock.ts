import type { ArtifactSummary, Carried, Change, LockResult } from '../../actions/results.ts';
import { artifactCells, noLongerApply, totalOf } from '../artifacts.ts';
import { enclaveCopies, withWorkspace } from '../open.ts';
import { sizeOf, table } from '../page.ts';
import type { Page } from '../page.ts';
import { answered } from '../verb.ts';
import type { Run } from '../verb.ts';
import { shownPath } from '../words.ts';

export const run: Run = async (call) => {
  const { given, io } = call;
  const { lock } = await import('../../actions/lock.ts');
  const sites = await enclaveCopies(call, given.sites ?? []);
  const upgrade = given.upgrade === undefined ? {} : { upgrade: given.upgrade };
  const options = { ...upgrade, check: given.check === true, sites, keepGoing: given.keepGoing === true };
  const work = withWorkspace(call, (workspace) => lock(workspace, options));
  return answered(work, (result, page) => {
    const file = shownPath(io, result.lock);
    return options.check ? `${file} holds\n` : describe(result, file, page);
  });
};

function describe({ artifacts, changes, carried }: LockResult, file: string, page: Page): string {
  const arrived = new Map(changes.map((change) => [`${change.to} ${change.artifact}`, change]));
  const rows = artifacts.map((artifact) => [
    ...artifactCells(artifact, page),
    { text: stateOf(artifact, arrived) },
    ...(artifact.about?.licence === undefined ? [] : [{ text: artifact.about.licence, flexible: true }]),
  ]);
  const removed = changes
    .filter(({ change }) => change === 'removed')
    .map(({ artifact }) => [{ text: 'removed' }, { text: artifact, flexible: true }]);
  const lists = `${table(page, [...rows, ...removed])}${noLongerApply(artifacts, page)}${carriedTable(carried, page)}`;
  return `${lists}${totalOf(artifacts)} in ${file}; ${tally(artifacts, changes)}\n`;
}

/** By kind and by group: what is carried, new against kept. One row alone would say what the last line says. */
function carriedTable(carried: readonly Carried[], page: Page): string {
  if (carried.length < 2) return '';
  const title = ['', 'artifacts', 'size', 'new', 'size', 'kept', 'size'].map((text, at) => ({
    ...{ text, style: page.dim },
    ...(at === 0 ? {} : { right: true }),
  }));
  const rows = carried.map(({ by, name, artifacts, bytes, new: fresh, newBytes }) => {
    const numbers = [artifacts, sizeOf(bytes), fresh, sizeOf(newBytes), artifacts - fresh, sizeOf(bytes - newBytes)];
    const what = by === 'kind' ? (name ?? '') : name === null ? 'no group' : `group ${name}`;
    return [{ text: what, flexible: true }, ...numbers.map((number) => ({ text: String(number), right: true }))];
  });
  return `\n${table(page, [title, ...rows])}\n`;
}

function stateOf({ name, digest }: ArtifactSummary, arrived: ReadonlyMap<string, Change>): string {
  const change = arrived.get(`${digest} ${name}`)?.change;
  return change === 'added' ? 'new' : change === 'moved' ? 'moved' : 'kept';
}

function tally(artifacts: readonly ArtifactSummary[], changes: readonly Change[]): string {
  const count = (wanted: Change['change']): number => changes.filter(({ change }) => change === wanted).length;
  const [added, moved, removed] = [count('added'), count('moved'), count('removed')];
  const counts = { new: added, moved, kept: artifacts.length - added - moved, removed };
  return (
    Object.entries(counts)
      .flatMap(([name, number]) => (number === 0 ? [] : [`${number} ${name}`]))
      .join(', ') || 'nothing in it'
  );
}
