import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workDirectory } from '../cli/harness.ts';
import { hasDockerRegistry } from '../support/docker-registry.ts';
import { missing, program } from '../support/programs.ts';
import { random } from '../support/random.ts';
import { startUpstream } from '../support/upstream.ts';
import type { Upstream } from '../support/upstream.ts';
import { packForRegistry, publishAll, sceneNames, sceneOf } from './scenes.ts';
import { DRAY, ERRORS, KILLS, Sweep, chosen, isBuilt, run } from './sweep.ts';
import { startWatchedRegistry } from './watched-registry.ts';
import { takenTwice } from './watched-server.ts';

/**
 * Every verb that writes, killed, interrupted or made to fail at each of its calls that change a file, and then run again:
 * nothing is visible that is not whole, nothing is fetched or sent twice, and it ends with the same bytes as a run that
 * nothing disturbed. A seeded sample; with DRAY_TORTURE=full all of it, which takes hours.
 */

const FULL = process.env['DRAY_TORTURE'] === 'full';
const SEED = Number(process.env['DRAY_SEED'] ?? 1);
const SAMPLE = FULL ? Infinity : 6;
const TIMEOUT = FULL ? 12 * 3_600_000 : 300_000;

describe.skipIf(!isBuilt)('interrupted anywhere (dist/ is not built)', () => {
  let upstream: Upstream;
  beforeAll(async () => {
    upstream = await startUpstream();
    publishAll(upstream);
  });
  afterAll(() => upstream.stop());

  test.each(sceneNames)(
    '%s',
    async (name) => {
      const sweep = new Sweep(sceneOf(name, upstream));
      try {
        await sweep.prepare();
        const faults = chosen(sweep, [...KILLS, ...ERRORS, 'SIGINT', 'SIGTERM'], SAMPLE, SEED);
        for (const fault of faults) expect(await sweep.judge(fault), `${name}, ${sweep.callOf(fault)}`).toEqual([]);
        // Killed, and killed again on the way to finish.
        const [first = '', ...more] = chosen(sweep, ['kill-before', 'kill-after'], 3, SEED + 1);
        expect(await sweep.judge(first, more), `${name}, ${first} and ${more.join(', ')}`).toEqual([]);
      } finally {
        sweep.remove();
      }
    },
    TIMEOUT,
  );

  test(
    'pack, killed when its bundle is complete but before it answers, answers with the same bundle',
    async () => {
      const sweep = new Sweep(sceneOf('pack', upstream));
      try {
        await sweep.prepare();
        const last = sweep.calls.length;
        const kept = sweep.calls.findIndex((call) => /^rename \.dray\/bundles\/.*\.json$/.test(call)) + 1;
        const between = Array.from({ length: last - kept + 1 }, (_, at) => kept + at);
        for (const mode of ['kill-before', 'kill-after'])
          for (const at of between) {
            const fault = `${mode}:${at}`;
            expect(await sweep.judge(fault), sweep.callOf(fault)).toEqual([]);
          }
      } finally {
        sweep.remove();
      }
    },
    TIMEOUT,
  );

  const untraceable =
    program('strace') === undefined ? missing('strace') : mayTrace() ? '' : ' (no process may be traced)';
  test.skipIf(untraceable !== '')(
    `no call that changes a file is overlooked${untraceable}`,
    async () => {
      const sweep = new Sweep(sceneOf('pack', upstream));
      await sweep.prepare();
      const seen = new Set(sweep.calls.map(withoutChance));
      const traced = await sweep.trace(program('strace') ?? '');
      sweep.remove();
      expect(traced.length).toBeGreaterThan(100);
      expect(traced.map(withoutChance).filter((call) => !seen.has(call))).toEqual([]);
    },
    TIMEOUT,
  );
});

/** Names that are made up differ from run to run. */
function withoutChance(call: string): string {
  return call.replace(/\.dray-tmp-[0-9a-f]{16}/, '.dray-tmp-');
}

function mayTrace(): boolean {
  return spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0;
}

describe.skipIf(!isBuilt || !hasDockerRegistry)('load into a registry (docker-registry is not installed)', () => {
  const home = workDirectory();
  const LOAD = ['load', 'out', '--site', 'site.yaml'];

  test(
    'killed at any request: what the registry took is not sent again, and what has a name is whole',
    async () => {
      const registry = await startWatchedRegistry();
      await packForRegistry(home, registry.host);
      expect((await run({ words: LOAD }, home)).said).toBe('');
      const total = registry.requests();
      const all = Array.from({ length: total * 2 }, (_, at) => ({
        number: (at >> 1) + 1,
        phase: at % 2 === 0 ? 'comes' : 'answered',
      }));
      const next = random(SEED);
      const some = FULL
        ? all
        : Array.from({ length: SAMPLE }, () => all.splice(Math.floor(next() * all.length), 1)[0]!);
      for (const at of some) {
        rmSync(join(home, 'state'), { recursive: true, force: true });
        registry.empty();
        const broken = await new Promise((settle) => {
          const child = spawn(process.execPath, [DRAY, ...LOAD], { cwd: home, stdio: 'ignore' });
          registry.onRequest = (number, phase) => number === at.number && phase === at.phase && child.kill('SIGKILL');
          child.on('close', (status, signal) => settle(signal ?? status));
        });
        registry.onRequest = () => undefined;
        expect([broken, at]).toEqual(['SIGKILL', at]);
        const again = await run({ words: LOAD }, home);
        expect([again.status, again.said, at]).toEqual([0, '', at]);
        expect(takenTwice(registry.taken), JSON.stringify(at)).toEqual([]);
        const { document } = await run({ words: [...LOAD, '--recheck'] }, home);
        const states = (document?.['delivered'] as { state: string }[]).map(({ state }) => state);
        expect([states, at]).toEqual([states.map(() => 'present'), at]);
      }
      await registry.stop();
    },
    TIMEOUT,
  );
});

describe.skipIf(!isBuilt)('a reader that leaves (dist/ is not built)', () => {
  test.each([['| true'], ['2>&1 | true'], ['>&- 2>&-']])('harms no pack: %s', (end) => {
    const home = workDirectory();
    mkdirSync(join(home, 'data'));
    for (let at = 0; at < 30; at++) writeFileSync(join(home, 'data', String(at)), 'x'.repeat(1000));
    writeFileSync(join(home, 'dray.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: left\nfiles: [data]\n');
    const line = `{ "$0" "$1" pack out --unsigned --progress json ${end.startsWith('>') ? end : ''}; echo $? > status; } ${end.startsWith('>') ? '' : end}`;
    spawnSync('sh', ['-c', line, process.execPath, DRAY], { cwd: home });
    expect(readFileSync(join(home, 'status'), 'utf8')).toBe('0\n');
    expect(readdirSync(join(home, 'out'))).toEqual(['left-1-1of1']);
    expect(readdirSync(join(home, 'out/left-1-1of1'))).toContain('bundle.json');
  });
});
