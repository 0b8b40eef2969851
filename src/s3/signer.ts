import type { Method } from '../io/http/message.ts';
import type { Credentials } from './credentials.ts';

export interface Signable {
  readonly method: Method;
  readonly url: URL;
  /** Names in lower case; all of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
}

export type Sign = (request: Signable, now: Date) => Promise<Readonly<Record<string, string>>>;

/**
 * Signs requests (Signature Version 4): answers the headers to send. The body is not part of the signature; its
 * `x-amz-checksum-sha256` is, as a header.
 */
export async function openSigner(region: string, credentials: () => Promise<Credentials>): Promise<Sign> {
  const [{ SignatureV4 }, { Sha256 }] = await Promise.all([
    import('@smithy/signature-v4'),
    import('@smithy/core/checksum'),
  ]);
  const signer = new SignatureV4({ service: 's3', region, credentials, sha256: Sha256, uriEscapePath: false });
  return async ({ method, url, headers }, signingDate) => {
    const request = {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { host: url.host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers },
    };
    return (await signer.sign(request, { signingDate })).headers;
  };
}
