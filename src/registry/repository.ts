import type { Descriptor, Document } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Blocks, Content } from '../store/blob-store.ts';

/**
 * One repository of a registry, spoken to in the distribution protocol (distribution-spec 1.1; what real registries
 * do otherwise stands beside the code that bears it). Everything retries what may pass by itself, and throws
 * `unreachable`, `login-refused` or `target-failed` for what does not.
 */
export interface Repository {
  readonly host: string;
  readonly name: string;

  /** A manifest or index by tag or digest: its exact bytes, under the digest of those bytes. @throws `not-found`; `upstream-moved` where bytes asked by digest have another */
  document(reference: string): Promise<Document>;
  /** What HEAD says of a manifest; undefined where there is none. */
  head(
    reference: string,
  ): Promise<{ readonly digest: Digest; readonly size: number; readonly mediaType: string } | undefined>;
  /** Every tag, in the registry's order, asked for page by page. @throws `not-found` */
  tags(): AsyncIterable<string>;
  /**
   * What the registry lists as referring to a document, asked for page by page, as it says it: nothing of it is checked.
   * Undefined where it has no such list, which docker-registry and distribution 3 have not.
   */
  referrers(digest: Digest): Promise<AsyncIterable<Descriptor> | undefined>;
  /** Is a blob of this digest and size there? */
  hasBlob(blob: Descriptor): Promise<boolean>;
  /** A blob's bytes from any byte on; goes on by range where a connection breaks. Not hashed here. @throws `not-found` */
  blob(blob: Descriptor): Content;

  /** Mounts a blob from another repository of the registry; false where the registry wants an upload instead. */
  mount(blob: Descriptor, from: string): Promise<boolean>;
  /** Uploads a whole blob in one request; the registry checks the digest, and its answer is checked too. */
  upload(blob: Descriptor, content: Blocks): Promise<void>;
  /** Opens an upload that takes a blob in several runs, also from several processes. */
  begin(): Promise<OpenUpload>;
  /**
   * Asks where an upload stands: answers its newest location and how many bytes the registry has, which may be more than
   * `upload.offset` where a run was cut off in the middle.
   * @throws `upload-lost` where the registry no longer knows it, or has fewer bytes than `upload.offset`
   */
  resume(upload: OpenUpload): Promise<OpenUpload>;
  /** Appends `size` bytes, at least one; answers the upload as it stands after. @throws `upload-lost` */
  append(upload: OpenUpload, size: number, content: Blocks): Promise<OpenUpload>;
  /** Closes an upload as this blob. @throws `upload-lost` where it is gone, or its bytes have another digest */
  finish(upload: OpenUpload, blob: Descriptor): Promise<void>;
  /** Gives an upload up; an upload that is gone already is no error. */
  cancel(upload: OpenUpload): Promise<void>;
  /**
   * Puts a document under its digest or a tag, and reads back that it is there with that digest. Answers whether the
   * registry says (`OCI-Subject`) that it will list it as a referrer of its subject; else that is left to whoever puts it.
   */
  putDocument(document: Document, reference: string): Promise<boolean>;
}

/** An upload between two requests: a plain value that can be kept in a journal. `offset` = bytes that the registry has. */
export interface OpenUpload {
  readonly location: string;
  readonly offset: number;
}
