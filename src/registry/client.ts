import { DrayError } from '../errors.ts';
import { isDigest } from '../oci/digest.ts';
import { isRepository, isTag } from '../oci/reference.ts';
import { blobsOf } from './blobs.ts';
import { documentsOf } from './documents.ts';
import { listingsOf } from './listings.ts';
import type { Repository } from './repository.ts';
import type { Session } from './session.ts';

/** A repository of the registry that the session speaks to. Names become parts of URLs, so nothing else may pass. */
export function repositoryOf(session: Session, name: string): Repository {
  if (!isRepository(name)) throw new DrayError('internal', `${JSON.stringify(name)} is not the name of a repository`);
  const documents = documentsOf(session, name);
  return {
    host: session.host,
    name,
    ...blobsOf(session, name),
    ...listingsOf(session, name),
    document: async (reference) => documents.document(checked(reference)),
    head: async (reference) => documents.head(checked(reference)),
    putDocument: async (document, reference) => documents.putDocument(document, checked(reference)),
  };
}

function checked(reference: string): string {
  if (isDigest(reference) || isTag(reference)) return reference;
  throw new DrayError('internal', `${JSON.stringify(reference)} is neither a tag nor a digest`);
}
