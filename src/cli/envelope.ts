import type { DrayError } from '../errors.ts';

/** What a run came to. */
export interface Outcome {
  /** Null where no verb could be made out. */
  readonly verb: string | null;
  readonly exit: number;
  readonly error: DrayError | undefined;
  readonly result: object;
}

/** The one document of `--json`. `error` is null for 0, 4 and 5; the verb's own keys follow. */
export function envelopeOf({ verb, exit, error, result }: Outcome): object {
  const told =
    error === undefined ? null : { code: error.code, message: error.message, hint: error.hint, where: error.where };
  const own = { dray: 1, verb, exit, error: told };
  return { ...own, ...result, ...own };
}

export function formatEnvelope(outcome: Outcome): string {
  return `${JSON.stringify(envelopeOf(outcome))}\n`;
}
