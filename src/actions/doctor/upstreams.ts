import { DrayError, asDrayError } from '../../errors.ts';
import { proxyFor } from '../../io/http/proxy.ts';
import { parallel } from '../../io/parallel.ts';
import type { Context } from '../../context.ts';
import type { Entry } from '../../manifest/manifest.ts';
import type { Network } from '../../registry/network.ts';
import { openLogins } from '../../registry/logins.ts';
import type { Upstreams } from '../../registry/upstreams.ts';
import { sourceFor } from '../../sources/find-source.ts';
import type { Source, Upstream } from '../../sources/source.ts';
import type { ConnectedSide, DoctorOptions } from '../options.ts';
import type { Dates } from './clock.ts';
import { ok } from './probe.ts';
import type { Found, Probe } from './probe.ts';

/** What entries ask of each host, each thing once. */
export function hostsOf(
  entries: readonly Entry[],
  sources: readonly Source[],
  environment: DoctorOptions['environment'],
): ReadonlyMap<string, readonly Upstream[]> {
  const hosts = new Map<string, Map<string, Upstream>>();
  for (const entry of entries) {
    for (const upstream of upstreamsOf(entry, sources, environment)) {
      const host = upstream.type === 'url' ? new URL(upstream.url).host : upstream.host;
      const asked = hosts.get(host) ?? new Map<string, Upstream>();
      hosts.set(host, asked.set(JSON.stringify(upstream), upstream));
    }
  }
  return new Map([...hosts].map(([host, asked]) => [host, [...asked.values()]]));
}

/** What an entry says wrong is told with the manifest. */
function upstreamsOf(
  entry: Entry,
  sources: readonly Source[],
  environment: DoctorOptions['environment'],
): readonly Upstream[] {
  try {
    return sourceFor(entry, sources).upstreams?.(entry, environment) ?? [];
  } catch {
    return [];
  }
}

/** No message grows longer than a screen. */
const MOST = 10;

interface Asking {
  readonly host: string;
  readonly asked: readonly Upstream[];
  readonly upstreams: Upstreams;
  readonly environment: DoctorOptions['environment'];
  readonly dates: Dates;
}

/** Is a host there, does it take our login, and has it what the manifest names? Only heads of manifests and files are asked for. */
export function upstreamProbe(asking: Asking, { openNetwork }: Pick<ConnectedSide, 'openNetwork'>): Probe {
  const { host, asked, upstreams, dates } = asking;
  const onDate = (from: string, date: Date, ctx: Context): unknown =>
    dates.set(from, date.getTime() - ctx.now().getTime());
  return {
    name: `upstream ${host}`,
    run: async (ctx) => {
      const network = openNetwork({ ctx, upstreams, onDate: (from, date) => onDate(from, date, ctx) });
      try {
        refuse((await parallel(asked, ctx, (upstream) => failureOf(look(network, upstream)))).flat());
      } finally {
        await network.close();
      }
      return found(asking, ctx);
    },
  };
}

function failureOf(work: Promise<void>): Promise<readonly DrayError[]> {
  return work.then(
    () => [],
    (error: unknown) => [asDrayError(error)],
  );
}

async function look(network: Network, upstream: Upstream): Promise<void> {
  if (upstream.type === 'url') {
    await network.file(upstream.url);
    return;
  }
  const { host, repository, reference } = upstream;
  const head = await network.repository(host, repository).head(reference ?? 'latest');
  if (head !== undefined || reference === undefined) return;
  const separator = reference.startsWith('sha256:') ? '@' : ':';
  throw new DrayError('not-found', `${host}/${repository}${separator}${reference}: there is no such image or chart`);
}

/** One error for all: what keeps us from a host altogether is said once. */
function refuse(failures: readonly DrayError[]): void {
  const [first] = failures;
  if (first === undefined) return;
  const { code, hint, message } = first;
  const messages = [...new Set(failures.map((failure) => failure.message))];
  const others = messages.length > 1 ? ` (and ${messages.length - 1} more: ${messages.slice(1, MOST).join('; ')})` : '';
  throw new DrayError(code, message + others, { hint, cause: first });
}

async function found({ host, asked, upstreams, environment }: Asking, ctx: Context): Promise<Found> {
  const mirror = upstreams.get(host.toLowerCase())?.mirror;
  const url = mirror ?? (asked[0]?.type === 'url' ? asked[0].url : `https://${host}/`);
  const proxy = proxyFor(new URL(url), environment)?.origin;
  const isRegistry = asked.some(({ type }) => type === 'repository');
  const login =
    isRegistry && (await openLogins(ctx, environment).find(mirror === undefined ? host : new URL(mirror).host));
  const parts = [
    `has all ${asked.length} that are asked for`,
    ...(isRegistry ? [login === undefined ? 'no login known, none needed' : 'accepts the login'] : []),
    ...(mirror === undefined ? [] : [`by its mirror ${new URL(mirror).origin}`]),
    ...(proxy === undefined ? [] : [`through ${proxy}`]),
  ];
  return ok(parts.join('; '));
}
