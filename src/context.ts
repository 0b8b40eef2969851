import type { Where } from './errors.ts';

/** What is told while work goes on. Never on the way to a decision: whoever ignores events loses nothing but a display. */
export type Event =
  | {
      readonly type: 'begin';
      readonly task: string;
      readonly label: string;
      readonly total?: number;
      readonly target?: string;
    }
  /**
   * Bytes since the last such event; each is told once, of one task. A task that begins again has a new total. With a
   * `target` they are those that it took, out of what a task without one read.
   */
  | { readonly type: 'bytes'; readonly task: string; readonly bytes: number; readonly target?: string }
  | { readonly type: 'end'; readonly task: string; readonly target?: string }
  /** Before the first byte: what one file system must take, and what it has, in bytes; null where it does not say. */
  | { readonly type: 'space'; readonly paths: readonly string[]; readonly needed: number; readonly free: number | null }
  | { readonly type: 'warning'; readonly message: string; readonly where?: Where }
  | { readonly type: 'detail'; readonly message: string };

/** Handed to everything slow. Nothing else is ambient: no clock, no environment, no console. */
export interface Context {
  /** Aborted on Ctrl-C and on termination; everything that waits listens to it. */
  readonly signal: AbortSignal;
  readonly report: (event: Event) => void;
  /** How many transfers may be in flight. */
  readonly jobs: number;
  readonly now: () => Date;
}

/** A context that tells nobody and is never aborted: for tests and for callers of the library. */
export function quietContext(): Context {
  return { signal: new AbortController().signal, report: () => undefined, jobs: 4, now: () => new Date() };
}
