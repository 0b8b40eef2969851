import { test } from 'vitest';
import { dray } from './harness.ts';
test('x', async () => {
  for (const a of [['--help'], ['pack','--help'], ['help','lock'], [], ['--version'], ['--version','--json'], ['lok'], ['pack','--mdia','x','out'], ['pack'], ['pack','a','b'], ['receipt','--line'], ['receipt','--help','--json'], ['-j','x','status'],['--progress','foo','status'],['pack','out','--base','x','--json'],['completion','ksh'],['--json','lock','--key'],['-q'], ['load','--help'], ['serve']]) {
    const r = await dray(a);
    console.log('$ dray', a.join(' '), '=>', r.status, '\n--out\n' + r.out + '--err\n' + r.err);
  }
});
