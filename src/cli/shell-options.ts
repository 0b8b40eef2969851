import { COMMON, OPTIONS } from './options.ts';
import type { OptionName, OptionSpec } from './options.ts';
import type { Offers } from './verb.ts';

/** Prints the groups of the manifest here, a line each; nothing where there is none. */
export const GROUPS = 'dray completion groups 2>/dev/null';

/** An option as shells see it. */
export interface ShellOption {
  readonly short: string | undefined;
  readonly long: string;
  readonly says: string;
  /** The placeholder of its value; undefined for a flag. */
  readonly value: string | undefined;
  readonly offers: Offers;
  readonly repeatable: boolean;
}

/** What is reserved is not offered. */
export function shellOptions(names: readonly OptionName[]): readonly ShellOption[] {
  return names.flatMap((name) => {
    const { flags, says, value, choices, offers, reserved }: OptionSpec = OPTIONS[name];
    const [, short, long = '', placeholder] = /^(?:(-\w), )?(--[\w-]+)(?: [<[]([^>\].]+).*)?$/.exec(flags) ?? [];
    if (reserved === true) return [];
    return [
      {
        short,
        long,
        says,
        value: placeholder,
        offers: choices ?? offers ?? [],
        repeatable: value === 'list' || value === 'names',
      },
    ];
  });
}

/** Those of every verb, with the two that the parser adds. */
export function everywhere(): readonly ShellOption[] {
  const flag = { value: undefined, offers: [], repeatable: false };
  return [
    ...shellOptions(COMMON),
    { short: '-h', long: '--help', says: 'show help, with examples', ...flag },
    { short: undefined, long: '--version', says: 'print the version', ...flag },
  ];
}
