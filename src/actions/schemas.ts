import * as z from 'zod';
import { BundleIndex } from '../bundle/bundle-index.ts';
import { Lock } from '../manifest/lock.ts';
import { ManifestText } from '../manifest/schema.ts';
import { SiteText, target } from '../site/site-schema.ts';
import { TARGET_KEYS, TARGETS } from '../site/target-schema.ts';

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The JSON Schemas of the files that dray reads, by file name: for editors, and for others who read these files. */
export function jsonSchemas(): Readonly<Record<string, JsonSchema>> {
  const targets = Object.fromEntries(TARGET_KEYS.map((key) => [targetName(key), generate(TARGETS[key])]));
  return {
    'manifest.schema.json': schemaOf(ManifestText, 'dray.yaml: what to carry (docs/manifest.md)'),
    'lock.schema.json': schemaOf(Lock, 'dray.lock: what a manifest came to, pinned; written by `dray lock`'),
    'site.schema.json': {
      ...schemaOf(SiteText, 'site.yaml: whom an enclave trusts and where things go (docs/site.md)'),
      $defs: targets,
    },
    'bundle.schema.json': schemaOf(BundleIndex, 'bundle.json: the signed table of a bundle (docs/format.md)'),
  };
}

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const DIGEST = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' };

function schemaOf(schema: z.ZodType, title: string): JsonSchema {
  return { $schema: DRAFT, title, ...generate(schema) };
}

function generate(schema: z.ZodType): JsonSchema {
  const generated = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // The only schemas that zod cannot say in JSON are those of digests and of targets.
      if (zodSchema._zod.def.type === 'custom') Object.assign(jsonSchema, DIGEST);
      if ((zodSchema as unknown) === target)
        replace(
          jsonSchema,
          TARGET_KEYS.map((key) => ({ $ref: `#/$defs/${targetName(key)}` })),
        );
    },
  });
  return JSON.parse(JSON.stringify(generated, withoutMarks)) as JsonSchema;
}

function replace(schema: Record<string, unknown>, anyOf: readonly unknown[]): void {
  for (const key of Object.keys(schema)) Reflect.deleteProperty(schema, key);
  schema['anyOf'] = anyOf;
}

function targetName(key: string): string {
  return `${key}-target`;
}

/** Marks that are meant for our own reader, names that zod gives to what it refers to, and what belongs at the top alone. */
function withoutMarks(this: unknown, key: string, value: unknown): unknown {
  const isMark = key === 'later' ? value === true : ['id', '$schema'].includes(key) && typeof value === 'string';
  return isMark ? undefined : value;
}
