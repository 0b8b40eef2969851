import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'vitest';
import { writeSample } from './sample-bundle.ts';
it('x', async () => {
  rmSync('/tmp/smoke', { recursive: true, force: true });
  const d = mkdtempSync(join(tmpdir(), 'dray-'));
  const { person } = await import('../signing/support.ts');
  const p = person('a');
  const q = person('b', 'ed25519');
  const { writeFileSync } = await import('node:fs');
  writeFileSync('/tmp/a.pub', p.publicPem);
  writeFileSync('/tmp/b.pub', q.publicPem);
  for (const format of ['archive', 'directory'] as const)
    console.log(d, await writeSample(d, { format, media: '1MB', signers: [p.signer, q.signer] }));
});
