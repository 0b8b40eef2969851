import { proxiesOf } from '../../io/http/proxy.ts';
import { zstdHere } from '../../io/zstd.ts';
import { DrayError } from '../../errors.ts';
import type { DoctorOptions } from '../options.ts';
import { ok, warning } from './probe.ts';
import type { Found, Probe } from './probe.ts';

/** What dray itself runs on. */
export function machineProbes({ runtime, environment, connected }: DoctorOptions): readonly Probe[] {
  return [
    { name: 'node', run: () => nodeFound(runtime) },
    { name: 'zstd', run: () => zstdFound(connected !== undefined) },
    { name: 'proxies', run: () => proxiesFound(environment) },
  ];
}

function nodeFound({ node, minimum }: DoctorOptions['runtime']): Found {
  if (!isBefore(node, minimum)) return ok(`Node ${node}`);
  throw new DrayError('usage', `Node ${node}: expected ${minimum} or later`, { hint: 'install a newer Node' });
}

function isBefore(version: string, minimum: string): boolean {
  const parts = (text: string): readonly number[] => text.split('.').map(Number);
  const [a, b] = [parts(version), parts(minimum)];
  const at = b.findIndex((part, index) => part !== a[index]);
  return at !== -1 && (a[at] ?? 0) < (b[at] ?? 0);
}

function zstdFound(packs: boolean): Found {
  const { encoder, decoder } = zstdHere();
  if (encoder !== undefined) return ok(`${encoder}, native`);
  const hint = 'install dray with its optional package zstd-napi';
  if (packs) return warning('nothing here packs zstd: bundles are carried uncompressed', hint);
  return decoder === 'node'
    ? ok("Node's own")
    : warning('unpacked in JavaScript, which is slow', `${hint}, or Node 22.15`);
}

function proxiesFound(environment: DoctorOptions['environment']): Found {
  const set = [...proxiesOf(environment)].map(([name, value]) => `${name} ${value}`);
  return ok(set.length === 0 ? 'none' : set.join(', '));
}
