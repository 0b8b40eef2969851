import { DrayError } from '../../errors.ts';
import type { ProgramResult } from '../../io/program.ts';
import { printable } from '../../io/safe-path.ts';
import type { PackageIndexes } from './indexes.ts';
import { toolWords } from './python-tools.ts';
import type { WheelTarget } from './target.ts';
import type { WrittenRequirement } from './written.ts';

/** What somebody else is to resolve for one target. */
export interface Compilation {
  /** Of the target alone: their markers hold there. */
  readonly requirements: readonly WrittenRequirement[];
  readonly constraints: readonly WrittenRequirement[];
  readonly pre: boolean;
  readonly target: WheelTarget;
  readonly indexes: PackageIndexes;
  /** `NAME==VERSION` that are kept where they can be. */
  readonly preferred: readonly string[];
  /** A directory for what is given to the tool: what is in it may hold logins, and is removed. */
  readonly directory: string;
}

/** What a tool could not do, in its own words. @throws `manifest-invalid` */
export function demandDone(tool: string, { status, said }: ProgramResult, { target, requirements }: Compilation): void {
  if (status === 0) return;
  const words = printable(toolWords(said)) || `ended with ${status}`;
  throw new DrayError(
    'manifest-invalid',
    `${requirements[0]?.place.file ?? ''}: no solution for ${target.label}: ${tool} says: ${words}`,
    {
      hint: `only wheels are taken: where a package has none for ${target.label}, ask for another version of it, or build one and carry it by \`path\``,
    },
  );
}
