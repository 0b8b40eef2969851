import { totalOf } from '../artifacts.ts';
import { withWorkspace } from '../open.ts';
import { sizeOf } from '../page.ts';
import { answered } from '../verb.ts';
import type { Run } from '../verb.ts';
import { selectionOf } from '../words.ts';

export const run: Run = async (call) => {
  const { fetch } = await import('../../actions/fetch.ts');
  const options = { selection: selectionOf(call.given), keepGoing: call.given.keepGoing === true };
  const work = withWorkspace(call, (workspace) => fetch(workspace, options));
  return answered(
    work,
    ({ artifacts, fetched, present }) =>
      `${totalOf(artifacts)}: ${sizeOf(fetched)} fetched, ${sizeOf(present)} were there\n`,
  );
};
