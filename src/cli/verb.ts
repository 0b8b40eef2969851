import type { Context } from '../context.ts';
import { DrayError } from '../errors.ts';
import type { Io } from './io.ts';
import type { Given, OptionName } from './options.ts';
import type { Page } from './page.ts';
import type { Prompts } from './prompts.ts';

/** What a shell completes: paths, the groups of the manifest here, or one of these words. */
export type Offers = 'files' | 'directories' | 'groups' | readonly string[];

/** One verb as data. `run` comes with its module only when the verb is called: start-up stays that of node. */
export interface Verb {
  readonly name: string;
  /** Its words, as in `<OUT>`, `[DIR]`, `<MEDIUM...>`. */
  readonly words: string;
  readonly says: string;
  /** Besides those of every verb. */
  readonly options: readonly OptionName[];
  /** Command lines, and what each is for. */
  readonly examples: readonly (readonly [line: string, purpose: string])[];
  /** What a shell offers for its words. */
  readonly offers: Offers;
  readonly load: () => Promise<{ readonly run: Run }>;
}

/** A verb being called. */
export interface Call {
  readonly verb: string;
  readonly words: readonly string[];
  readonly given: Given;
  readonly io: Io;
  readonly ctx: Context;
  /** Undefined where nobody can answer. */
  readonly prompts: Prompts | undefined;
  /** Takes what is to be done once the answer is out, where it is no error. */
  readonly onceTold: (step: () => void) => void;
}

/** What a verb came to. */
export interface Answer {
  /** Its keys stand in the JSON document, beside `dray`, `verb`, `exit` and `error`. */
  readonly result: object;
  /** The same for people. */
  readonly text: (page: Page) => string;
  /** Set where the result itself says that it failed: damage found, volumes missing. */
  readonly failure?: DrayError | undefined;
  /** A status that is no failure: 4 (there are differences). */
  readonly exit?: 4 | undefined;
}

export type Run = (call: Call) => Promise<Answer>;

/** What an action came to; where it failed after a part of its work, that part as well. */
export async function answered<R extends object>(
  work: Promise<R>,
  text: (result: R, page: Page) => string,
): Promise<Answer> {
  try {
    const result = await work;
    return { result, text: (page) => text(result, page) };
  } catch (thrown) {
    if (!(thrown instanceof DrayError) || thrown.result === undefined) throw thrown;
    // `DrayError.result` has the shape of the verb's result.
    const result = thrown.result as R;
    return { result, failure: thrown, text: (page) => text(result, page) };
  }
}
