import { test, expect } from 'vitest';
import { standardWorkplace, snapshot } from '../support/enclave.ts';
test('probe', async () => {
  const p = await standardWorkplace();
  await p.succeed(['pack', 'out', '--key', 'release.key', '--media', '500KB']);
  console.log(snapshot(p.path('out')));
  console.log((await p.run(['verify', 'out', '--key', 'release.pub'])).out);
  console.log((await p.run(['load', 'out', '--site', 'site.yaml'])).out);
  console.log(snapshot(p.path()));
  expect(1).toBe(1);
});
