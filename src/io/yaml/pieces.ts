import * as z from 'zod';

/**
 * Pieces of schemas for files that people write, where every scalar arrives as it was written (`scalars: 'as-written'` of
 * yaml.ts). Their JSON Schemas say what an editor, which reads `25.10` as a number, must let pass.
 */

/** Any scalar, as written; not empty. */
export const text = z
  .string()
  .min(1, { error: 'expected text' })
  .meta({ type: ['string', 'number', 'boolean'] });

/** Text of one form. `expected` says it in words: "a SHA-256 of 64 hexadecimal digits". */
export function textLike(pattern: RegExp, expected: string): typeof text {
  return text.regex(pattern, { error: `expected ${expected}` }).meta({ type: 'string' });
}

/** `true` or `false`. */
export const flag = z
  .enum(['true', 'false'], { error: 'expected true or false' })
  .transform((written) => written === 'true')
  .meta({ type: 'boolean', enum: undefined });

const WHOLE = 'expected a whole number from 1';

/** A whole number from 1. */
export const count = z
  .string({ error: WHOLE })
  .regex(/^[1-9][0-9]{0,8}$/, { error: WHOLE })
  .transform(Number)
  .meta({ type: 'integer', minimum: 1, pattern: undefined });

/** A list; one alone needs no brackets, and a key left empty is an empty list. */
export function listOf<T extends z.ZodType>(piece: T): z.ZodType<z.output<T>[]> {
  return z
    .union([z.array(piece), piece, z.null()])
    .transform((given) => (given === null ? [] : Array.isArray(given) ? given : [given]));
}

/** A key that is known, whose values have a form, and that is answered with "not supported yet". */
export function later<T extends z.ZodType>(piece: T, says: string): z.ZodOptional<T> {
  return piece.optional().meta({ description: `Not supported yet. ${says}`, later: true });
}

/** Is this the schema of a key that is not supported yet? */
export function isLater(schema: unknown): boolean {
  return schema instanceof z.ZodType && schema.meta()?.['later'] === true;
}
