import * as z from 'zod';
import { printable } from '../../io/safe-path.ts';
import { isCommit, isHubId } from '../../oci/hub-name.ts';
import type { HubCommit, HubRepository } from '../../oci/hub-name.ts';
import { ask, unusable } from './ask.ts';
import { infoUrl } from './hub.ts';
import type { Hub } from './hub.ts';

/** What a Hub says of a repository at a revision. */
export interface HubInfo {
  /** Under the name that the repository has now. */
  readonly at: HubCommit;
  readonly licence: string | undefined;
  /** Files are for those who accepted a licence. */
  readonly gated: boolean;
}

const Info = z.object({
  sha: z.string(),
  gated: z.unknown().optional(),
  cardData: z.unknown().optional(),
  tags: z.unknown().optional(),
});

/**
 * Resolves a revision to its commit. A repository that has another name by now is followed to it.
 * @throws `not-found`, `login-refused`, `unreachable`, `upstream-invalid`
 */
export async function readInfo(hub: Hub, repository: HubRepository, revision: string): Promise<HubInfo> {
  const asked = { hub, repository, what: `revision ${revision}` };
  const { answer, value } = await ask(infoUrl(hub, repository, revision), asked);
  const info = Info.safeParse(value).data;
  const commit = info?.sha ?? '';
  if (!isCommit(commit)) throw unusable(asked, `expected a commit of 40 hexadecimal digits, found ${said(commit)}`);
  if (isCommit(revision) && commit !== revision) throw unusable(asked, `expected this commit, found ${commit}`);
  const id = idOf(answer.url, repository);
  return { at: { ...repository, id, commit }, licence: licenceOf(info), gated: Boolean(info?.gated) };
}

/** The name in the URL that answered in the end. */
function idOf(url: string, { type, id }: HubRepository): string {
  const found = new RegExp(`/api/${type}/([^/?#]+(?:/[^/?#]+)?)/revision/`).exec(new URL(url).pathname)?.[1] ?? id;
  return isHubId(found) ? found : id;
}

/**
 * The card's `license`; where that is only `other`, the name it gives; without a card the tag `license:…`
 * (huggingface.co/docs/hub/repositories-licenses).
 */
function licenceOf(info: z.infer<typeof Info> | undefined): string | undefined {
  const card = asRecord(info?.cardData);
  const tags = Array.isArray(info?.tags) ? info.tags : [];
  const tag = tags.find((found): found is string => typeof found === 'string' && found.startsWith('license:'));
  const written = [card['license']].flat().filter((licence) => typeof licence === 'string' && licence !== '');
  const licence = written.length > 0 ? written.join(', ') : tag?.slice('license:'.length);
  const name = card['license_name'];
  const chosen = licence === 'other' && typeof name === 'string' && name !== '' ? name : licence;
  return chosen === undefined ? undefined : said(chosen);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function said(text: string): string {
  return printable(text.slice(0, 200));
}
