import * as z from 'zod';
import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { ngcPath, parseNgcName } from '../../manifest/ngc-name.ts';
import { compareVersions, parseVersion } from '../../oci/version-range.ts';
import { refusalOf, shaped } from './answers.ts';
import { REFUSED } from './client.ts';
import type { NgcClient } from './client.ts';
import { allPages } from './pages.ts';

/** One version, and what NGC says of it. */
export interface Version {
  readonly id: string;
  /** How many files it has, and how many bytes these are, where NGC says that. */
  readonly files?: number;
  readonly size?: number;
  readonly licence?: string;
}

const count = z.int().nonnegative().nullish();
const Terms = z.looseObject({ title: z.string().nullish(), name: z.string().nullish(), id: z.string().nullish() });
const Card = z.looseObject({
  latestVersionIdStr: z.string().nullish(),
  licenseTerms: z.array(z.union([z.string(), Terms])).nullish(),
});
const Uploaded = z.looseObject({
  versionId: z.union([z.string(), z.number()]).nullish(),
  status: z.string().nullish(),
  createdDate: z.string().nullish(),
  totalSizeInBytes: count,
  totalFileCount: count,
});
const One = z.looseObject({
  model: Card.nullish(),
  recipe: Card.nullish(),
  modelVersion: Uploaded.nullish(),
  recipeVersion: Uploaded.nullish(),
});
const List = z.looseObject({
  paginationInfo: z.looseObject({ totalPages: count, totalResults: count }).nullish(),
  modelVersions: z.array(Uploaded).nullish(),
  recipeVersions: z.array(Uploaded).nullish(),
});

/** How many versions an error names. */
const SHOWN = 10;

/**
 * The version that was asked for, or the latest.
 * @throws `not-found`, naming versions that there are; `login-refused`; `upstream-invalid` where its upload is not complete
 */
export async function findVersion(client: NgcClient, ctx: Context): Promise<Version> {
  const id = client.name.version ?? (await latest(client, ctx));
  const subject = `${client.subject}:${id}`;
  const said = await client.ask(`/versions/${encodeURIComponent(id)}`);
  // Some organisations say nothing of a version to keys that are not theirs, and give its files all the same.
  if (REFUSED.has(said.status) && isOrgMissing(said.words)) return { id };
  if (said.status === 404) throw await noSuchVersion(client, id, ctx);
  if (said.status !== 200) throw refusalOf(said, subject);
  const { model, recipe, modelVersion, recipeVersion } = shaped(One, said.document, subject);
  const version = modelVersion ?? recipeVersion;
  if (version == null) throw new DrayError('upstream-invalid', `${subject}: expected a version, found none`);
  refuseOther(version, id, subject);
  const licence = licenceOf(model ?? recipe);
  return {
    id,
    ...(version.totalFileCount == null ? {} : { files: version.totalFileCount }),
    ...(version.totalSizeInBytes == null ? {} : { size: version.totalSizeInBytes }),
    ...(licence === undefined ? {} : { licence }),
  };
}

/** NGC's words are "Org contex missing" in some answers. */
export function isOrgMissing(words: string): boolean {
  return /\borg contexts? missing|\borg contex missing/i.test(words);
}

function refuseOther({ versionId, status }: z.infer<typeof Uploaded>, id: string, subject: string): void {
  if (versionId != null && String(versionId) !== id)
    throw new DrayError('upstream-invalid', `${subject}: expected this version, found ${printable(String(versionId))}`);
  if (status != null && status !== 'UPLOAD_COMPLETE')
    throw new DrayError('upstream-invalid', `${subject}: its upload is not complete (${printable(status)})`, {
      hint: 'wait until whoever publishes it is done, or take another version',
    });
}

/** As NGC writes it, all of them. */
function licenceOf(card: z.infer<typeof Card> | null | undefined): string | undefined {
  const said = (card?.licenseTerms ?? []).flatMap((terms) =>
    typeof terms === 'string' ? [terms] : [terms.title ?? terms.name ?? terms.id ?? []].flat(),
  );
  return said.length === 0 ? undefined : printable(said.join(', ').slice(0, 300));
}

async function latest(client: NgcClient, ctx: Context): Promise<string> {
  const said = await client.ask('');
  const { model, recipe } = said.status === 200 ? shaped(One, said.document, client.subject) : {};
  const stated = (model ?? recipe)?.latestVersionIdStr ?? '';
  if (stated !== '') return checkedId(client, stated);
  if (said.status !== 200 && said.status !== 404) throw refusalOf(said, client.subject);
  return checkedId(client, newestOf(await versions(client, ctx), client.subject));
}

/** It becomes part of names and URLs. */
function checkedId({ name, subject }: NgcClient, id: string): string {
  if (parseNgcName(`${ngcPath(name)}:${id}`)?.version === id) return id;
  throw new DrayError('upstream-invalid', `${subject}: calls its latest version ${printable(id.slice(0, 100))}`);
}

/** By the day on which they were made, else by their numbers; never guessed. */
function newestOf(all: readonly Listed[], subject: string): string {
  const newest = (compare: (a: Listed, b: Listed) => number): string => all.toSorted(compare).at(-1)?.id ?? '';
  if (all.length > 0 && all.every(({ created }) => created !== ''))
    return newest((a, b) => (a.created < b.created ? -1 : 1));
  if (all.length > 0 && all.every(({ id }) => parseVersion(id) !== undefined))
    return newest((a, b) => compareIds(a.id, b.id));
  throw new DrayError('not-found', `${subject}: NGC does not say which version is its latest`, {
    hint: `say which one you want: ${shown(all)}`,
  });
}

function compareIds(a: string, b: string): number {
  const [one, other] = [parseVersion(a), parseVersion(b)];
  return one === undefined || other === undefined ? 0 : compareVersions(one, other);
}

interface Listed {
  readonly id: string;
  /** ISO 8601, or empty. */
  readonly created: string;
}

async function versions(client: NgcClient, ctx: Context): Promise<readonly Listed[]> {
  const created = new Map<string, string>();
  const keys = await allPages(
    async (number) => {
      const said = await client.ask(`/versions?page-size=1000${number === undefined ? '' : `&page-number=${number}`}`);
      if (said.status !== 200) throw refusalOf(said, client.subject);
      const { paginationInfo, ...list } = shaped(List, said.document, client.subject);
      const found = (list.modelVersions ?? list.recipeVersions ?? []).filter(({ versionId }) => versionId != null);
      for (const { versionId, createdDate } of found) created.set(String(versionId), createdDate ?? '');
      return {
        keys: found.map(({ versionId }) => String(versionId)),
        pages: paginationInfo?.totalPages ?? 1,
        total: paginationInfo?.totalResults ?? undefined,
      };
    },
    { subject: client.subject, wanted: undefined, ctx },
  );
  return [...keys.keys()].map((id) => ({ id, created: created.get(id) ?? '' }));
}

async function noSuchVersion(client: NgcClient, id: string, ctx: Context): Promise<DrayError> {
  const all = await versions(client, ctx).catch((error: unknown) => {
    if (error instanceof DrayError && error.code !== 'interrupted') return [];
    throw error;
  });
  if (all.length === 0) return refusalOf({ status: 404, words: '' }, `${client.subject}:${id}`);
  return new DrayError('not-found', `${client.subject}: there is no version ${id}; there are ${shown(all)}`, {
    hint: 'take one of these, or leave the version out for the latest',
  });
}

function shown(all: readonly Listed[]): string {
  const more = all.length > SHOWN ? ` and ${all.length - SHOWN} more` : '';
  return all.length === 0
    ? 'there are none'
    : printable(
        all
          .slice(0, SHOWN)
          .map(({ id }) => id.slice(0, 100))
          .join(', '),
      ) + more;
}
