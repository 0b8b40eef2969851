import { totalOf } from '../artifacts.ts';
import { withWorkspace } from '../open.ts';
import { sizeOf } from '../page.ts';
import type { Run } from '../verb.ts';
import { selectionOf } from '../words.ts';

export const run: Run = async (call) => {
  const { fetch } = await import('../../actions/fetch.ts');
  const options = { selection: selectionOf(call.given), keepGoing: call.given.keepGoing === true };
  const result = await withWorkspace(call, (workspace) => fetch(workspace, options));
  const { artifacts, fetched, present } = result;
  return { result, text: () => `${totalOf(artifacts)}: ${sizeOf(fetched)} fetched, ${sizeOf(present)} were there\n` };
};
