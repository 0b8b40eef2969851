import { connectionFailure } from './failure.ts';
import { formatGet } from './head.ts';
import type { Head } from './head.ts';
import { bytesOf } from './message.ts';
import type { Headers, HttpResponse } from './message.ts';
import type { Route, Timeouts } from './route.ts';
import { Wire } from './wire.ts';

/** Large bodies, received straight into large blocks. */
export interface Bulk {
  /**
   * Sends one GET. The blocks of the answer's body are borrowed, page-aligned and of 1 MiB, but for the last. Undefined
   * for what is left to a client that knows all of HTTP: a way through a proxy, an answer that is not plain.
   * @throws `unreachable`
   */
  get(url: URL, headers: Headers, route: Route): Promise<HttpResponse | undefined>;
  /** Breaks off what is still under way. */
  close(): void;
}

/** Milliseconds for which a connection is kept for the next request: less than servers keep theirs. */
const KEEP = 4000;
/** Bytes of a body that nobody wants that are worth reading, to keep the connection. */
const WORTH_READING = 64 * 1024;

/** So many answers that were not plain, and an origin is not asked this way again: each is asked for twice. */
const PATIENCE = 3;

export function openBulk(timeouts: Timeouts, signal: AbortSignal): Bulk {
  const wires = wirePool(timeouts, signal);
  /** How many answers of an origin were not plain, one after the other. */
  const odd = new Map<string, number>();
  return {
    get: async (url, headers, route) => {
      const request = formatGet(url, headers);
      const before = odd.get(url.origin) ?? 0;
      if (route.proxy !== undefined || before === PATIENCE || request === undefined) return undefined;
      try {
        signal.throwIfAborted();
        const { wire, head } = await ask(wires, { url, route, request });
        odd.set(url.origin, head === undefined ? before + 1 : 0);
        return head === undefined ? undefined : responseOf(wire, head, { url, signal, done: () => wires.keep(wire) });
      } catch (error) {
        throw connectionFailure(url, error, signal);
      }
    },
    close: () => wires.close(),
  };
}

interface WirePool {
  /** One that is connected already, of nobody else's. */
  idle(origin: string): Wire | undefined;
  connect(url: URL, route: Route): Promise<Wire>;
  keep(wire: Wire): void;
  close(): void;
}

function wirePool(timeouts: Timeouts, signal: AbortSignal): WirePool {
  const all = new Set<Wire>();
  let kept: readonly Wire[] = [];
  return {
    idle: (origin) => {
      kept = kept.filter((wire) => wire.isIdle);
      const found = kept.findLast((wire) => wire.origin === origin);
      kept = kept.filter((wire) => wire !== found);
      return found;
    },
    connect: async (url, route) => {
      const wire = new Wire(url.origin, timeouts);
      await wire.connect(url, route, signal, () => all.delete(wire));
      all.add(wire);
      return wire;
    },
    keep: (wire) => {
      wire.rest(KEEP);
      kept = [...kept, wire];
    },
    close: () => {
      for (const wire of all) wire.destroy();
    },
  };
}

interface Question {
  readonly url: URL;
  readonly route: Route;
  readonly request: string;
}

/** A server may end a connection at the moment when it is used again: then, and only then, it is asked over another one. */
async function ask(
  wires: WirePool,
  { url, route, request }: Question,
): Promise<{ readonly wire: Wire; readonly head: Head | undefined }> {
  for (let wire = wires.idle(url.origin); wire !== undefined; wire = wires.idle(url.origin)) {
    const used = wire;
    // What came behind the last answer is read by then: it is none to this question.
    await new Promise(setImmediate);
    const head = await used.ask(request).catch((error: unknown) => {
      if (!used.isGone) throw error;
      return 'gone' as const;
    });
    if (head !== 'gone') return { wire, head };
  }
  const wire = await wires.connect(url, route);
  return { wire, head: await wire.ask(request) };
}

function responseOf(
  wire: Wire,
  { status, headers, keepAlive }: Head,
  { url, signal, done }: { readonly url: URL; readonly signal: AbortSignal; readonly done: () => void },
): HttpResponse {
  const blocks = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* wire.body();
    } catch (error) {
      throw connectionFailure(url, error, signal);
    } finally {
      if (keepAlive && wire.isIdle) done();
      else wire.destroy();
    }
  };
  return {
    status,
    headers,
    url,
    body: { [Symbol.asyncIterator]: blocks },
    bytes: (limit) => bytesOf(copies(blocks()), limit, `${url.host}: GET ${url.pathname}`),
    discard: async () => {
      if (wire.outstanding > WORTH_READING) wire.destroy();
      else await readAway(blocks()).catch(() => undefined);
    },
  };
}

async function readAway(blocks: AsyncIterator<Uint8Array>): Promise<void> {
  while ((await blocks.next()).done !== true);
}

async function* copies(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) yield Uint8Array.from(block);
}
