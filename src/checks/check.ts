import type { Context } from '../context.ts';
import type { Finding } from '../bundle/finding.ts';
import type { OpenBundle } from '../bundle/reader.ts';

/** What a check may look at. Nothing of it is ever written to. */
export interface Checked {
  readonly bundle: OpenBundle;
  readonly ctx: Context;
  /** Told of content that was read and hashed. */
  readonly read: (bytes: number) => void;
}

/** One property of a bundle: yields what is wrong, in the order it is met, and nothing when all is well. Never throws for a bad bundle. */
export interface Check {
  readonly name: string;
  /** Reads metadata only, so that `verify --quick` runs it. */
  readonly quick: boolean;
  readonly run: (checked: Checked) => AsyncIterable<Finding>;
}
