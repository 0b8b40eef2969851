import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { isUnambiguous } from '../../oci/json-keys.ts';
import type { Digest } from '../../oci/digest.ts';
import { readLinks } from './index-html.ts';
import { hashesIn } from './hashes.ts';
import { offerOf } from './offer.ts';
import type { Offer } from './offer.ts';
import { fileNameOf } from './written.ts';

/** A page of a package index: the wheels of one project, and what else it has. */
export interface IndexPage {
  readonly offers: readonly Offer[];
  /** Source archives, by file name. */
  readonly sources: readonly string[];
}

export interface PageText {
  readonly body: Uint8Array;
  readonly contentType: string;
  /** What its links are relative to. */
  readonly base: string;
  /** The index that it belongs to, without login. */
  readonly index: string;
  /** For people. */
  readonly subject: string;
}

export const ACCEPT =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01';

/** Of links too: whatever is longer is none. */
const LONGEST_NAME = 255;
const text = z.string();
const FileShape = z.looseObject({
  filename: text,
  url: text,
  hashes: z.record(z.string(), z.string()).optional(),
  'requires-python': text.nullish(),
  size: z.int().nonnegative().nullish(),
  yanked: z.union([z.boolean(), text]).nullish(),
  'core-metadata': z.union([z.boolean(), z.record(z.string(), z.string())]).nullish(),
  'dist-info-metadata': z.union([z.boolean(), z.record(z.string(), z.string())]).nullish(),
});
const PageShape = z.looseObject({ meta: z.looseObject({ 'api-version': text }), files: z.array(FileShape) });

/** What one link of a page says, in either form. */
interface Link {
  readonly file: string;
  readonly url: string;
  /** `ALGORITHM:HEX` */
  readonly hashes: readonly string[];
  readonly size: number | undefined;
  readonly requiresPython: string | undefined;
  readonly yanked: string | undefined;
  /** The digest of its METADATA, or an empty text where there is one with a digest that nobody states. */
  readonly metadata: string | undefined;
}

/**
 * Reads a project's page, HTML (PEP 503, 592, 658) or JSON (PEP 691, 700). Links that are no wheels' are passed over, among them
 * all whose names could lead elsewhere.
 * @throws `upstream-invalid`
 */
export function readPage(page: PageText): IndexPage {
  const links = /\bjson\b/i.test(page.contentType) ? jsonLinks(page) : htmlLinks(page);
  const offers: Offer[] = [];
  const sources: string[] = [];
  for (const link of links) {
    if (link.file.length > LONGEST_NAME) continue;
    const offer = offered(link, page);
    if (offer !== undefined) offers.push(offer);
    else if (/\.(?:tar\.gz|zip|tar\.bz2)$/.test(link.file)) sources.push(link.file);
  }
  return { offers, sources };
}

function offered({ file, url, hashes, metadata, ...more }: Link, { index, subject }: PageText): Offer | undefined {
  const address = new URL(url);
  if (!/\.whl$/.test(file) || !['http:', 'https:'].includes(address.protocol)) return undefined;
  address.hash = address.username = address.password = '';
  // A weak hash is as good as none: the first download is the pin then.
  const strong = hashesIn(
    hashes.filter((hash) => /^sha(?:256|384|512):/i.test(hash)),
    (said) => invalid(subject, `${printable(file)}: ${said}`),
  );
  const digest = strong.find(({ algorithm }) => algorithm === 'sha256')?.hex;
  const known = metadata === undefined ? undefined : { digest: digestIn(metadata) };
  return offerOf(file, address.href, {
    ...more,
    ...{ index, metadata: known, hashes: digest === undefined ? strong : [] },
    digest: digest === undefined ? undefined : `sha256:${digest}`,
  });
}

function jsonLinks(page: PageText): readonly Link[] {
  const { body, subject, base } = page;
  const written = Buffer.from(body).toString('utf8');
  const value = parseJson(written, subject);
  const parsed = PageShape.safeParse(value);
  if (!parsed.success) throw invalid(subject, "expected a project's page of a package index, found other JSON");
  if (!isUnambiguous(written, parsed.data))
    throw invalid(subject, 'names a key twice, so that readers may differ about it');
  refuseVersion(parsed.data.meta['api-version'], subject);
  return parsed.data.files.flatMap((file) => {
    const metadata = file['core-metadata'] ?? file['dist-info-metadata'];
    const url = absolute(file.url, base);
    if (url === undefined) return [];
    return {
      ...{
        file: file.filename,
        url,
        size: file.size ?? undefined,
        requiresPython: file['requires-python'] ?? undefined,
      },
      hashes: Object.entries(file.hashes ?? {}).map(([name, hex]) => `${name}:${hex}`),
      yanked: file.yanked === true ? '' : file.yanked === false ? undefined : (file.yanked ?? undefined),
      metadata:
        metadata == null || metadata === false ? undefined : metadata === true ? '' : (metadata['sha256'] ?? ''),
    };
  });
}

function htmlLinks({ body, base, subject }: PageText): readonly Link[] {
  const { links, base: stated, version } = readLinks(Buffer.from(body).toString('utf8'));
  if (version !== undefined) refuseVersion(version, subject);
  const from = absolute(stated ?? '', base) ?? base;
  return links.flatMap((attributes) => {
    const url = absolute(attributes.get('href') ?? '', from);
    const file = url === undefined ? undefined : fileNameOf(url);
    if (url === undefined || file === undefined) return [];
    const [, name, hex] = /#(?:.*&)?(md5|sha1|sha224|sha256|sha384|sha512)=([0-9a-f]+)/i.exec(url) ?? [];
    const metadata = attributes.get('data-core-metadata') ?? attributes.get('data-dist-info-metadata');
    return {
      ...{ file, url, size: undefined, requiresPython: attributes.get('data-requires-python') },
      hashes: name === undefined ? [] : [`${name}:${hex ?? ''}`],
      yanked: attributes.get('data-yanked'),
      metadata: metadata === 'false' ? undefined : metadata,
    };
  });
}

function digestIn(text: string): Digest | undefined {
  const hex = text.replace(/^sha256=/, '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(hex) ? `sha256:${hex}` : undefined;
}

/** Major versions differ in what fields mean (packaging.python.org, simple-repository-api, "Versioning"). */
function refuseVersion(version: string, subject: string): void {
  if (!/^1(?:\.|$)/.test(version))
    throw invalid(subject, `expected a package index of version 1, found ${printable(version).slice(0, 20)}`);
}

function absolute(url: string, base: string): string | undefined {
  return URL.canParse(url, base) ? new URL(url, base).href : undefined;
}

function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(subject, 'says that it is JSON, and is none');
    throw error;
  }
}

function invalid(subject: string, said: string): DrayError {
  return new DrayError('upstream-invalid', `${subject}: ${said}`, {
    hint: 'is this the address of a package index? `pip --index-url` takes the same one',
  });
}
