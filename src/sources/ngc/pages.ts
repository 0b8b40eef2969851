import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { parallel } from '../../io/parallel.ts';

/** One page of a list: its items by key, and what the answer says of the whole. */
export interface Page {
  readonly keys: readonly string[];
  readonly pages: number;
  readonly total: number | undefined;
}

/** Asks for a page; without a number for the first, whatever its number is. */
export type AskPage = (number: number | undefined) => Promise<Page>;

/** More pages than any list has: what says so is not followed. */
const MOST_PAGES = 10_000;

/**
 * All items of a list, each once, and the number of a page that has it. NGC's own clients do not agree on whether pages are
 * counted from 0 or from 1: the first is asked for without a number, then 1 and so on; the one after the last of those is
 * asked for where the list is not complete without it, or where page 1 was the first one again.
 * @param wanted how many items there must be, where that is known from elsewhere
 * @throws `upstream-invalid`
 */
export async function allPages(
  ask: AskPage,
  { subject, wanted, ctx }: { readonly subject: string; readonly wanted: number | undefined; readonly ctx: Context },
): Promise<ReadonlyMap<string, number | undefined>> {
  const first = await ask(undefined);
  if (first.pages > MOST_PAGES)
    throw new DrayError('upstream-invalid', `${subject}: expected a list of at most ${MOST_PAGES} pages, found more`);
  const found = new Map<string, number | undefined>(first.keys.map((key) => [key, undefined]));
  const take = (keys: readonly string[], number: number): void => {
    for (const key of keys) if (!found.has(key)) found.set(key, number);
  };
  const numbers = Array.from({ length: Math.max(0, first.pages - 1) }, (_, place) => place + 1);
  const rest = await parallel(numbers, ctx, async (number) => (await ask(number)).keys);
  rest.forEach((keys, place) => take(keys, place + 1));
  const total = wanted ?? first.total;
  const isFirstAgain = rest[0]?.every((key) => found.get(key) === undefined) === true;
  const isShort = total === undefined ? isFirstAgain : found.size < total;
  if (first.pages > 1 && isShort) take(await lastPage(ask, first.pages), first.pages);
  return found;
}

/** There is none where pages are counted from 0: then the list is what it is. */
async function lastPage(ask: AskPage, number: number): Promise<readonly string[]> {
  try {
    return (await ask(number)).keys;
  } catch (error) {
    if (error instanceof DrayError && ['not-found', 'upstream-invalid'].includes(error.code)) return [];
    throw error;
  }
}
