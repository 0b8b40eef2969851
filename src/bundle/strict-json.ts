import type * as z from 'zod';
import { DrayError } from '../errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * JSON in exactly one spelling: accepted only where writing what was read gives the same text. That refuses duplicate
 * keys, other white space, other spellings of numbers and strings, and a byte order mark, without a parser of our own.
 * @throws `bundle-invalid`
 */
export function parseStrict(bytes: Uint8Array, subject: string): unknown {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (JSON.stringify(value) === text) return value;
  } catch {
    // Not JSON, not UTF-8, or nested too deep: the same answer.
  }
  throw new DrayError('bundle-invalid', `${subject}: is not JSON as dray writes it`);
}

/** A value in the shape of a schema. @throws `bundle-invalid` naming the first place that is not */
export function shaped<T>(schema: z.ZodType<T>, value: unknown, subject: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DrayError(
    'bundle-invalid',
    `${subject}: at ${issue?.path.join('.') ?? '?'}: ${issue?.message ?? 'not as the format says'}`,
  );
}
