import * as z from 'zod';
import { expectation } from '../io/yaml/expectation.ts';
import { count, listOf, text } from '../io/yaml/pieces.ts';
import { kind, TARGET_KEYS, TARGETS } from './target-schema.ts';
import type { TargetKey } from './target-schema.ts';

/** `site.yaml` as a person writes it (docs/site.md). Its JSON Schema, for editors, is schemas/site.schema.json. */

const trust = z.strictObject({
  keys: listOf(text).meta({ description: 'Public keys, PEM, ECDSA P-256 or Ed25519.' }),
  threshold: count.optional().meta({ description: 'This many distinct keys must have signed; default 1.' }),
  require: z
    .partialRecord(kind, count)
    .optional()
    .meta({ description: 'A higher threshold for bundles that hold a kind.' }),
  revoked: listOf(text).optional().meta({ description: 'Public keys that never count, whatever else trusts them.' }),
});

const hooks = z.strictObject({
  scan: text.optional().meta({
    description: "Gets each volume's path before anything of it is delivered; non-zero stops the load.",
  }),
  loaded: text.optional().meta({
    description: 'Gets the report (JSON) on standard input; non-zero makes the load fail.',
  }),
});

/** A target as it stands in the list, with its key. */
export interface TargetText {
  readonly key: TargetKey;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One target, by the schema of the one key that says what it is; as a JSON Schema, any of TARGETS. */
export const target = z.record(z.string(), z.unknown()).transform((fields, context): TargetText => {
  const found = TARGET_KEYS.filter((key) => key in fields);
  const [key] = found;
  if (key === undefined || found.length > 1) {
    const said = found.length === 0 ? 'none' : found.join(' and ');
    context.addIssue({ code: 'custom', message: `expected one of ${TARGET_KEYS.join(', ')}, found ${said}` });
    return z.NEVER;
  }
  const result = TARGETS[key].safeParse(fields, { error: expectation });
  if (result.success) return { key, fields: result.data };
  const issues = result.error.issues.map((issue) => ({ ...issue, input: fields }) as z.core.$ZodRawIssue);
  context.issues.push(...issues);
  return z.NEVER;
});

export const SiteText = z.strictObject({
  apiVersion: z.literal('drayage/v1').meta({ description: 'The version of this format.' }),
  kind: z.literal('Site'),
  name: text
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: 'expected at most 64 letters, digits, `.`, `_` and `-`' })
    .meta({
      description: 'The name of this enclave: a bundle packed with `--audience` must name it.',
    }),
  trust: trust.meta({ description: 'Whose signatures count.' }),
  receiptKey: text.optional().meta({ description: 'The private key that signs receipts.' }),
  state: text.optional().meta({ description: 'Sequence numbers, journal, receipts; default /var/lib/dray.' }),
  ignore: listOf(kind).optional().meta({ description: 'Kinds that no target here takes, on purpose.' }),
  targets: listOf(target).optional().meta({ description: 'Where things go. An artifact may go to several.' }),
  hooks: hooks.nullable().optional().meta({ description: 'Commands.' }),
});
export type SiteText = z.infer<typeof SiteText>;
