import type { Context } from '../../context.ts';
import { DrayError } from '../../errors.ts';
import type { FileOptions, RemoteFile } from '../../registry/network.ts';
import { refusalOf } from './answers.ts';
import { REFUSED } from './client.ts';
import type { NgcClient } from './client.ts';
import { openListing } from './listing.ts';
import type { Version } from './version.ts';

/** The files of one version. */
export interface NgcFiles {
  /** As they are listed: asked for in this order, each page of signed URLs is needed once. Undefined where NGC refuses to list them: then `checksums.blake3` names them. */
  readonly paths: readonly string[] | undefined;
  /** Why they are not listed. */
  readonly refused?: DrayError;
  /** One file, by a URL that is good now and made anew as often as it must be. */
  remote(path: string, known?: Pick<FileOptions, 'size' | 'etag'>): Promise<RemoteFile>;
}

/**
 * Lists the files of a version. Where NGC refuses that (keys of other organisations: "Org context missing", 400 or 401), each
 * can still be had by its name.
 * @throws `not-found`, `login-refused`, `upstream-invalid`
 */
export async function openFiles(client: NgcClient, version: Version, ctx: Context): Promise<NgcFiles> {
  const subject = `${client.subject}:${version.id}`;
  const refusal = { of: undefined as DrayError | undefined };
  const listing = await openListing(client, version, ctx, (said) => {
    if (REFUSED.has(said.status)) refusal.of = refusalOf(said, subject);
  });
  if (listing !== undefined) return listing;
  return {
    paths: undefined,
    refused: refusal.of ?? new DrayError('login-refused', `${subject}: NGC does not list its files`),
    // The API is asked anew for each request and answers with a URL that is signed for it.
    remote: (path, known = {}) => client.network.file(byName(client, version, path), known),
  };
}

function byName(client: NgcClient, { id }: Version, path: string): string {
  const escaped = path.split('/').map(encodeURIComponent).join('/');
  return client.url(`/versions/${encodeURIComponent(id)}/files/${escaped}`);
}
