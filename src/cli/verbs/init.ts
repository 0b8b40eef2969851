import { resolve } from 'node:path';
import type { Run } from '../verb.ts';
import { shownPath } from '../words.ts';

export const run: Run = async ({ words: [directory = '.'], given, io }) => {
  const { init } = await import('../../actions/init.ts');
  const name = given.siteTemplate === true ? 'site.yaml' : (given.file ?? 'dray.yaml');
  const result = await init({
    file: resolve(io.cwd, directory, name),
    what: given.siteTemplate === true ? 'site' : 'manifest',
  });
  return { result, text: () => `wrote ${shownPath(io, result.written)}\n` };
};
