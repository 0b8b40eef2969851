import type { OnReadOpts, Socket } from 'node:net';
import { HEAD_LIMIT, parseHead } from './head.ts';
import type { Head } from './head.ts';
import type { Route, Timeouts } from './route.ts';
import { brokenOff, openSocket, stalled, timedOut } from './socket.ts';
import { ReceiveRing } from './receive-ring.ts';

const END_OF_HEAD = '\r\n\r\n';

/**
 * A connection that is asked one thing at a time. What comes is received by the kernel straight into the memory that it
 * is handed out in: no block is allocated and no byte copied on the way (docs/performance.md).
 */
export class Wire {
  readonly origin: string;
  private readonly timeouts: Timeouts;
  private readonly scratch = Buffer.allocUnsafe(HEAD_LIMIT);
  private socket: Socket | undefined;
  private phase: 'idle' | 'head' | 'body' = 'idle';
  /** Bytes of the head that came. */
  private filled = 0;
  /** Bytes of the body that did not come yet. */
  private left = 0;
  private ring: ReceiveRing | undefined;
  private isPaused = false;
  private failure: Error | undefined;
  private timer: NodeJS.Timeout | undefined;
  private answer: { resolve: (head: Head | undefined) => void; reject: (error: Error) => void } | undefined;
  private wake: () => void = () => undefined;

  constructor(origin: string, timeouts: Timeouts) {
    this.origin = origin;
    this.timeouts = timeouts;
  }

  /** `onClose` is called when the connection is gone, however it went. */
  async connect(url: URL, route: Route, signal: AbortSignal, onClose: () => void): Promise<void> {
    const onread = { buffer: () => this.room(), callback: (length: number) => this.took(length) } as OnReadOpts;
    this.socket = await openSocket(url, route, { timeout: this.timeouts.connect, signal, onread });
    this.socket.on('error', (error) => this.fail(error));
    this.socket.once('end', () => this.fail(brokenOff()));
    this.socket.once('close', () => {
      this.fail(brokenOff());
      onClose();
    });
    if (this.socket.destroyed) this.fail(brokenOff());
    this.socket.resume();
  }

  /** Nothing is under way, and something can be asked. */
  get isIdle(): boolean {
    return this.phase === 'idle' && this.failure === undefined && this.socket?.destroyed === false;
  }

  /** It broke, or the other side ended it; not for our want of patience. */
  get isGone(): boolean {
    return this.failure !== undefined && (this.failure as NodeJS.ErrnoException).code !== 'ETIMEDOUT';
  }

  /** Sends a request; undefined where the answer is none that can be read here, and the connection is gone then. */
  ask(request: string): Promise<Head | undefined> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      this.answer = { resolve, reject };
      this.phase = 'head';
      this.within(this.timeouts.answer, timedOut);
      this.socket?.ref();
      this.socket?.write(request, 'latin1');
    });
  }

  /** The body, in blocks that are borrowed; used once. What came before the connection broke is handed out first. */
  async *body(): AsyncGenerator<Uint8Array> {
    try {
      for (let block = await this.next(); block !== undefined; block = await this.next()) {
        yield block;
        this.ring?.free();
        this.goOn();
      }
    } finally {
      if (this.left > 0 || this.ring?.block !== undefined) this.destroy();
      this.ring?.release();
      this.ring = undefined;
    }
  }

  /** Bytes of the body that are still to come over the network. */
  get outstanding(): number {
    return this.left;
  }

  /** Until it is asked again: it ends after so many milliseconds, and never keeps the process alive. */
  rest(milliseconds: number): void {
    this.within(milliseconds, brokenOff);
    this.timer?.unref();
    this.socket?.unref();
  }

  destroy(error?: Error): void {
    this.stopTimer();
    this.socket?.destroy(error);
  }

  private async next(): Promise<Uint8Array | undefined> {
    while (this.ring?.block === undefined && this.left > 0) {
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return this.ring?.block;
  }

  private goOn(): void {
    if (!this.isPaused || this.ring?.isCrowded === true || this.failure !== undefined) return;
    this.isPaused = false;
    this.timer?.refresh();
    this.socket?.resume();
  }

  /** Where the next bytes go. Node asks after each time that some came, even where it was told to stop. */
  private room(): Buffer {
    return (this.phase === 'body' ? this.ring?.room(this.left) : undefined) ?? this.scratch.subarray(this.filled);
  }

  /** So many bytes came into the room; false: no more for now. */
  private took(length: number): boolean {
    if (this.phase === 'head') this.tookHead(length);
    else if (this.phase === 'body' && this.ring?.room(1) !== undefined) this.tookBody(length);
    else this.destroy(brokenOff());
    this.isPaused = this.phase === 'body' && this.ring?.isCrowded === true;
    return !this.isPaused;
  }

  private tookHead(length: number): void {
    const from = Math.max(0, this.filled - END_OF_HEAD.length);
    this.filled += length;
    const came = this.scratch.subarray(0, this.filled);
    const end = came.indexOf(END_OF_HEAD, from, 'latin1');
    if (end < 0 && this.filled < HEAD_LIMIT) return;
    const head = end < 0 ? undefined : parseHead(came.toString('latin1', 0, end));
    const body = came.subarray(end + END_OF_HEAD.length);
    this.filled = 0;
    if (head === undefined || body.length > head.length) this.destroy();
    else this.begin(head, body);
    this.answer?.resolve(head !== undefined && body.length > head.length ? undefined : head);
    this.answer = undefined;
  }

  private begin(head: Head, body: Buffer): void {
    this.ring = new ReceiveRing();
    this.phase = 'body';
    this.left = head.length;
    this.within(this.timeouts.idle, stalled);
    this.ring.room(body.length)?.set(body);
    this.tookBody(body.length);
  }

  private tookBody(length: number): void {
    this.timer?.refresh();
    this.left -= length;
    this.ring?.took(length);
    if (this.left === 0) {
      this.ring?.close();
      this.phase = 'idle';
      this.stopTimer();
    }
    this.wake();
  }

  private within(milliseconds: number, error: () => Error): void {
    this.stopTimer();
    this.timer = setTimeout(() => {
      if (!this.isPaused) this.destroy(error());
    }, milliseconds);
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private fail(error: Error): void {
    this.stopTimer();
    if (this.failure !== undefined) return;
    this.failure = error;
    this.ring?.close();
    this.answer?.reject(error);
    this.wake();
  }
}
