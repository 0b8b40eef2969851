import type { Readable } from 'node:stream';

/** A stream that text is written to, and what is known of the terminal behind it. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** All that a run touches of the world outside: `main.ts` makes it from the process, tests make their own. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The user's home directory. */
  readonly home: string;
  /** Where a site file is looked for when nothing else names one. */
  readonly systemSite: string;
  readonly pid: number;
  /** Aborted with the `DrayError` that is to be the outcome: `interrupted` or `terminated`. */
  readonly signal: AbortSignal;
  readonly now: () => Date;
}
