import type * as z from 'zod';
import { suggestion } from './nearest.ts';
import { printable } from '../safe-path.ts';

interface Definition {
  readonly shape?: object;
  readonly keyType?: { readonly _zod: { readonly values?: ReadonlySet<unknown> } };
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
};

/**
 * An error map for zod: what was expected, in our words; what was found is added by yaml-problems.ts, which knows how it
 * was written. A schema's own `error` goes first. Of unknown keys, one line each.
 */
export function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, knownKeys(issue.inst))).join('\n');
    case 'too_small':
      return `expected at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `expected at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return `expected ${issue.pattern === undefined ? `a valid ${issue.format}` : `what matches ${issue.pattern}`}`;
    default:
      return undefined;
  }
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = suggestion(key, known);
  return `unknown key ${printable(key)}${near === '' ? '' : `, ${near}`}`;
}

/** The keys of an object, or of a record whose keys are a list of words. */
function knownKeys(schema: unknown): readonly string[] {
  const { def } = (schema as { _zod?: { def?: Definition } } | undefined)?._zod ?? {};
  return [...Object.keys(def?.shape ?? {}), ...(def?.keyType?._zod.values ?? [])].map(String);
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' || origin === 'set' ? ' of them' : '';
}
