import type { ArtifactSummary, Change, LockResult } from '../../actions/results.ts';
import { artifactCells, noLongerApply, totalOf } from '../artifacts.ts';
import { enclaveCopies, withWorkspace } from '../open.ts';
import { table } from '../page.ts';
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

function describe({ artifacts, changes }: LockResult, file: string, page: Page): string {
  const changeOf = new Map(changes.map((change) => [change.artifact, change]));
  const rows = artifacts.map((artifact) => [...artifactCells(artifact, page), { text: stateOf(artifact, changeOf) }]);
  const removed = changes
    .filter(({ change }) => change === 'removed')
    .map(({ artifact }) => [{ text: 'removed' }, { text: artifact, flexible: true }]);
  return `${table(page, [...rows, ...removed])}${noLongerApply(artifacts, page)}${totalOf(artifacts)} in ${file}; ${tally(artifacts, changes)}\n`;
}

function stateOf({ name }: ArtifactSummary, changes: ReadonlyMap<string, Change>): string {
  const change = changes.get(name)?.change;
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
