import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/cli.ts';
import type { Ended } from '../support/cli.ts';

const SHARED = new URL('../../examples/shared/', import.meta.url).href;
const SITE =
  'apiVersion: drayage/v1\nkind: Site\nname: s\ntrust: {keys: [release.pub]}\ntargets: [{directory: files}]\n';

/** An example of two steps, the second of which fails, while a server plays an upstream. */
const DEMO = `
import { twoSides } from '${SHARED}dray.mjs';
import { serve } from '${SHARED}loopback.mjs';
import { say } from '${SHARED}say.mjs';
const { connected } = twoSides(import.meta.dirname);
const url = await serve((path) => path === '/a b' && { content: Buffer.from('played') });
const [found, missing] = await Promise.all([fetch(url + '/a%20b'), fetch(url + '/other')]);
say([await found.text(), missing.status].join());
connected.mirror({ 'nowhere.example': url });
connected.set({ DRAY_KEY: 'release.key' });
await connected.dray('keygen', 'release', '--no-password');
if (process.argv[3] === 'fail') await connected.dray('lock');
say('the end');
`;

describe('examples/shared', () => {
  const base = mkdtempSync(join(tmpdir(), 'dray-'));
  const example = join(base, 'two-steps');
  const demo = (...words: readonly string[]): Promise<Ended> =>
    run(process.execPath, [join(example, 'demo.mjs'), join(base, 'out'), ...words]);
  beforeAll(() => {
    mkdirSync(example);
    writeFileSync(join(example, 'demo.mjs'), DEMO);
    writeFileSync(join(example, 'dray.yaml'), 'apiVersion: drayage/v1\nkind: Nothing\n');
    writeFileSync(join(example, 'site.yaml'), SITE);
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  it('ends by itself, although a server still listens', async () => {
    const { status, stdout } = await demo();
    expect(stdout).toMatch(
      /^\n== played,404\nconnected\$ dray keygen release --no-password\nrelease\.key .*\n[^]*== the end\n$/,
    );
    expect(status).toBe(0);
  });

  it('stops with 1 at a verb that fails, and names it and its status', async () => {
    const { status, stdout, stderr } = await demo('fail');
    expect(stdout).toMatch(/connected\$ dray lock\n$/);
    expect(stderr).toMatch(/demo: dray lock ended with 2\n$/);
    expect(status).toBe(1);
  });
});
