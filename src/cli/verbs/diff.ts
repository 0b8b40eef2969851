import { resolve } from 'node:path';
import type { Change } from '../../actions/results.ts';
import { countOf, shortDigest, sizeOf, table } from '../page.ts';
import type { Page } from '../page.ts';
import type { Run } from '../verb.ts';

export const run: Run = async ({ words, io, ctx }) => {
  const { diff } = await import('../../actions/diff.ts');
  const [from = '', to = ''] = words.map((word) => resolve(io.cwd, word));
  const result = await diff({ ctx, from, to });
  return { result, exit: result.changes.length === 0 ? undefined : 4, text: (page) => describe(result.changes, page) };
};

function describe(changes: readonly Change[], page: Page): string {
  if (changes.length === 0) return 'no difference\n';
  const rows = changes.map(({ change, artifact, from, to, bytes }) => [
    { text: change },
    { text: artifact, flexible: true },
    { text: from === null ? '' : shortDigest(from), style: page.dim },
    { text: to === null ? '' : shortDigest(to), style: page.dim },
    { text: bytes === 0 ? '' : `+${sizeOf(bytes)}`, right: true },
  ]);
  const bytes = changes.reduce((sum, change) => sum + change.bytes, 0);
  return `${table(page, rows)}${countOf(changes.length, 'difference')}, ${sizeOf(bytes)} to carry\n`;
}
