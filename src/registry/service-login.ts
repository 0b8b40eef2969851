/**
 * The login of one service by rules of its own. It answers for the origin of that service and for nothing else, so that a
 * token never reaches another host.
 */
export interface ServiceLogin {
  /** Is this URL the service's? */
  readonly owns: (url: URL) => boolean;
  /** The value of `Authorization`; undefined where nobody is logged in. @throws `login-refused`, `unreachable` */
  readonly authorization: (url: URL) => Promise<string | undefined>;
  /** Takes in a 401 to a request that showed `used`; true where another value may now be had. */
  readonly refused?: (url: URL, used: string) => boolean;
}

/** Is a URL of the same scheme, host and port as an endpoint? */
export function isOrigin(endpoint: string): (url: URL) => boolean {
  const origin = URL.canParse(endpoint) ? new URL(endpoint).origin : undefined;
  return (url) => url.origin === origin;
}
