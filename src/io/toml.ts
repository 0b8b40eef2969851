import { TomlError, parse } from 'smol-toml';
import type * as z from 'zod';
import { DrayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { errorAt } from './place.ts';
import { printable } from './safe-path.ts';

export interface TomlOptions<T> {
  /** For people. */
  readonly file: string;
  readonly schema: z.ZodType<T>;
  readonly code: ErrorCode;
}

/** Deeper nests nothing that people write. */
const DEEPEST = 100;

/**
 * TOML 1.0 by a schema; dates come as text. A key that stands twice is an error, as the format has it.
 * @throws the given code, with line and column where the text is no TOML, else with the key
 */
export function parseToml<T>(text: string, { file, schema, code }: TomlOptions<T>): T {
  const parsed = schema.safeParse(plain(read(text, file, code)));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? [])
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  const said = `${printable(path.replace(/^\./, '') || 'the file')}: ${printable(issue?.message ?? 'cannot be read')}`;
  throw new DrayError(code, `${printable(file)}: ${said}`, { where: { file } });
}

function read(text: string, file: string, code: ErrorCode): unknown {
  try {
    return parse(text, { maxDepth: DEEPEST });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [said = 'cannot be read'] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw errorAt({ file, line: error.line, column: error.column }, code, `is no TOML: ${printable(said)}`);
  }
}

/** Dates as they would be written, everything else as it is. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
