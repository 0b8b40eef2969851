import * as z from 'zod';
import { flag, listOf, text, textLike } from '../io/yaml/pieces.ts';
import { ENTRIES, platforms } from './schema-entries.ts';

/** `dray.yaml` as a person writes it (docs/manifest.md). Its JSON Schema, for editors, is schemas/manifest.schema.json. */

const groupName = text
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
    error: 'expected a name of at most 64 letters, digits, `.`, `_` and `-`',
  })
  .meta({ type: 'string' });

const group = z.strictObject({
  required: flag.optional().meta({ description: '`--without` of this group is refused, on either side.' }),
  needs: listOf(text).optional().meta({ description: 'Groups that are carried wherever this one is.' }),
});

const defaults = z.strictObject({
  group: listOf(text)
    .optional()
    .meta({ description: 'The group of every entry of this file that does not say otherwise.' }),
});

const lists = {
  images: listOf(z.union([text, ENTRIES.images]))
    .optional()
    .meta({
      description: 'Container images. A string is short for `ref:`.',
    }),
  charts: listOf(z.union([text, ENTRIES.charts]))
    .optional()
    .meta({
      description: 'Helm charts. A string oci://… is short for `ref:`.',
    }),
  wheels: listOf(ENTRIES.wheels).optional().meta({ description: 'Python wheels.' }),
  models: listOf(z.union([text, ENTRIES.models]))
    .optional()
    .meta({
      description: 'Model weights. hf://ORG/NAME[@REVISION] and ngc://ORG/[TEAM/]NAME:VERSION are short forms.',
    }),
  files: listOf(z.union([text, ENTRIES.files]))
    .optional()
    .meta({
      description: 'Ordinary files. A string is short for `path:`; hf://… and ngc://… work too.',
    }),
};

const shared = {
  include: listOf(text).optional().meta({
    description: 'More of the five lists, from these files, read as if they stood here.',
  }),
  defaults: defaults
    .nullable()
    .optional()
    .meta({ description: 'For the entries of this file that do not say otherwise.' }),
};

const kind = z.literal('Manifest');
const apiVersion = z.literal('drayage/v1');

/** A manifest's `name`: the first part of every medium's and volume's name, and so of file names. */
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?$/;

export const ManifestText = z.strictObject({
  apiVersion: apiVersion.meta({ description: 'The version of this format.' }),
  kind,
  name: textLike(NAME, 'at most 40 of a-z, 0-9, `.`, `_` and `-`, first and last a letter or digit').meta({
    description: "The first part of every medium's and volume's name.",
    type: ['string', 'number'],
  }),
  platforms: platforms.optional().meta({
    description: 'For images: `all` (untouched; default), one platform, or several (a new index of just these).',
  }),
  ...shared,
  groups: z.record(groupName, group.nullable()).nullable().optional().meta({
    description: 'The groups, in the order in which they lie on the media.',
  }),
  ...lists,
});
export type ManifestText = z.infer<typeof ManifestText>;

const elsewhere = z.never({ error: 'belongs into the manifest that includes this file' }).optional();

/** A file that is included. */
export const IncludedText = z.strictObject({
  apiVersion: apiVersion.optional(),
  kind: kind.optional(),
  name: elsewhere,
  platforms: elsewhere,
  ...shared,
  groups: elsewhere,
  ...lists,
});
export type IncludedText = z.infer<typeof IncludedText>;
