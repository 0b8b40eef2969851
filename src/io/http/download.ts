import { DrayError } from '../../errors.ts';
import { isTransient } from './failure.ts';
import type { Headers, HttpResponse } from './message.ts';
import { printable } from '../safe-path.ts';
import { backOff, wait } from '../retry.ts';
import type { RetryPolicy } from '../retry.ts';

export interface Download {
  /** For messages. */
  readonly subject: string;
  /**
   * Asks for the content with these headers besides; answers 200, 206 or 416, and throws for everything else. `bulk`:
   * much is to come.
   */
  readonly open: (headers: Headers, bulk: boolean) => Promise<HttpResponse>;
  /** Bytes of the whole content, where known. */
  readonly size?: number | undefined;
  /** What the content was called when it was looked at first; undefined where the server did not say. */
  readonly etag?: string | undefined;
  /** The URL names the content by its digest: ETags are not compared, caches make them up. */
  readonly immutable?: boolean;
}

/** Large enough that whoever hashes and writes a block costs little beside it (docs/performance.md). */
const BLOCK = 1024 * 1024;

/**
 * Content from any byte on, in borrowed blocks of 1 MiB. Where the connection breaks it goes on behind the last byte
 * that came (RFC 9110, section 14), as often as the policy says without a byte in between. A server that ignores the
 * range is read from its first byte and the known part skipped; one whose ETag changed serves other content by now.
 * @throws `upstream-moved` where the content changed under way or is longer than it should be; `unreachable`
 */
export async function* download(
  content: Download,
  from: number,
  policy: RetryPolicy,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let block = Buffer.alloc(0);
  let filled = 0;
  for await (const chunk of resumed(content, from, policy, signal)) {
    if (chunk.length >= BLOCK) {
      if (filled > 0) yield block.subarray(0, filled);
      filled = 0;
      yield chunk;
      continue;
    }
    if (block.length === 0) block = Buffer.allocUnsafe(Math.min(BLOCK, Math.max(1, (content.size ?? BLOCK) - from)));
    for (let taken = 0; taken < chunk.length;) {
      const part = chunk.subarray(taken, taken + block.length - filled);
      block.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled < block.length) continue;
      yield block;
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

/** Where a download stands. `receiving`: the server has answered and its body is being read. */
interface Progress {
  position: number;
  size: number | undefined;
  etag: string | undefined;
  receiving: boolean;
}

async function* resumed(
  content: Download,
  from: number,
  policy: RetryPolicy,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const progress: Progress = { position: from, size: content.size, etag: content.etag, receiving: false };
  for (let failures = 0; progress.size === undefined || progress.position < progress.size;) {
    const before = progress.position;
    try {
      yield* rest(content, progress);
      return;
    } catch (error) {
      failures = progress.position > before ? 1 : failures + 1;
      if (!progress.receiving || failures >= policy.attempts || !isTransient(error)) throw error;
      await wait(backOff(failures, policy), signal);
    }
  }
}

async function* rest(content: Download, progress: Progress): AsyncGenerator<Uint8Array> {
  progress.receiving = false;
  const response = await content.open(rangeHeaders(progress), (progress.size ?? 0) - progress.position > BLOCK);
  progress.receiving = true;
  let skip = await bytesToSkip(content, progress, response);
  for await (const chunk of response.body) {
    const part = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - part.length;
    if (progress.size !== undefined && progress.position + part.length > progress.size)
      throw moved(content, `is longer than ${progress.size} bytes${described(response.headers)}`);
    progress.position += part.length;
    if (part.length > 0) yield part;
  }
  const { position, size } = progress;
  if (size === undefined || position === size) return;
  // Nothing that was asked for: what came was made smaller on its way, and would never add up.
  if (isEncoded(response.headers))
    throw moved(content, `has ${size} bytes, and fewer${described(response.headers)} are sent`);
  throw brokenOff(content, `${position} of ${size} bytes`);
}

function rangeHeaders({ position, etag }: Progress): Headers {
  if (position === 0) return {};
  const range = { range: `bytes=${position}-` };
  return etag === undefined || etag.startsWith('W/') ? range : { ...range, 'if-range': etag };
}

/** Learns from the head of an answer, and says how much of its body is known already. */
async function bytesToSkip(content: Download, progress: Progress, response: HttpResponse): Promise<number> {
  try {
    return bytesKnown(content, progress, response);
  } catch (error) {
    await response.discard();
    throw error;
  }
}

function bytesKnown(content: Download, progress: Progress, { status, headers }: HttpResponse): number {
  const { 'content-length': length, 'content-range': range = '' } = headers;
  const etag = content.immutable === true ? undefined : headers['etag'];
  if (etag !== undefined && progress.etag !== undefined && etag !== progress.etag)
    throw moved(content, 'changed while it was fetched');
  progress.etag ??= etag;
  if (status === 200) {
    if (length !== undefined) isOfSize(content, progress, Number(length), headers);
    return progress.position;
  }
  const [, start, total] = /^bytes (?:([0-9]+)-[0-9]+|\*)\/([0-9]+|\*)$/.exec(range) ?? [];
  if (total !== undefined && total !== '*') isOfSize(content, progress, Number(total), headers);
  if (status === 206 && start !== undefined && Number(start) === progress.position) return 0;
  if (status === 416 && progress.size === progress.position) return Number.MAX_SAFE_INTEGER;
  throw moved(content, `does not hold byte ${progress.position}`);
}

function isEncoded({ 'content-encoding': encoding = 'identity' }: Headers): boolean {
  return encoding.toLowerCase() !== 'identity';
}

/** What else a server says of a body that is not the one: mostly it is a page for people, or compressed on the way. */
function described({ 'content-type': type, 'content-encoding': encoding }: Headers): string {
  const said = [type === undefined ? '' : ` of ${type}`, encoding === undefined ? '' : ` in ${encoding}`].join('');
  return printable(said.slice(0, 200));
}

/** What a server says of the size is known before the first byte is read. */
function isOfSize(content: Download, progress: Progress, size: number, headers: Headers): void {
  progress.size ??= size;
  if (progress.size !== size)
    throw moved(content, `has ${progress.size} bytes, and ${size}${described(headers)} are sent`);
}

function moved({ subject, immutable }: Download, what: string): DrayError {
  return new DrayError('upstream-moved', `${subject} ${what}`, immutable === true ? { hint: IMMUTABLE } : {});
}

const IMMUTABLE =
  'what has a digest never moves: a proxy, a cache or the registry damages it, or upstream states a wrong size; look there';

function brokenOff({ subject }: Download, what: string): DrayError {
  const cause = Object.assign(new Error('ended early'), { code: 'ECONNRESET' });
  return new DrayError('unreachable', `${subject} broke off after ${what}`, { cause });
}
