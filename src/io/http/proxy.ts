import { BlockList, isIP } from 'node:net';
import { DrayError } from '../../errors.ts';
import { isLoopback } from './loopback.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL, from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (lower case goes first) as Go reads them, which
 * is what people who run container tools expect: the machine itself is never reached through a proxy; an entry of
 * `NO_PROXY` is `*`, a domain (and all below it), `.domain` (only what is below it), an address, a network in CIDR
 * notation, each with a port if wanted.
 */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = variable(environment, name);
  if (proxy === '' || isLoopback(url.hostname) || isExempt(url, variable(environment, 'NO_PROXY'))) return undefined;
  return parseProxy(proxy, name);
}

/** The proxies that are set, by variable, without their logins. @throws `usage` for one that is no URL */
export function proxiesOf(environment: Environment): ReadonlyMap<string, string> {
  const set = ['HTTPS_PROXY', 'HTTP_PROXY'].map((name) => [name, variable(environment, name)] as const);
  const given = set
    .filter(([, text]) => text !== '')
    .map(([name, text]) => [name, parseProxy(text, name).origin] as const);
  const exempt = variable(environment, 'NO_PROXY');
  return new Map([...given, ...(given.length === 0 || exempt === '' ? [] : [['NO_PROXY', exempt] as const])]);
}

/** `Proxy-Authorization` out of the login in a proxy's URL. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === '') return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}

function variable(environment: Environment, name: string): string {
  return (environment[name.toLowerCase()] || environment[name] || '').trim();
}

function parseProxy(text: string, name: string): URL {
  const whole = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new DrayError('usage', `${name}: expected the URL of an http or https proxy`, {
    hint: 'write it as http://HOST:PORT',
  });
}

function isExempt({ hostname, port, protocol }: URL, list: string): boolean {
  const actual = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => exempts(entry.toLowerCase(), host, actual));
}

function exempts(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [, name = entry, entryPort = port] =
    /^\[(.*)\](?::([0-9]+))?$/.exec(entry) ?? /^([^:]+):([0-9]+)$/.exec(entry) ?? [];
  const bare = name.replace(/^\*/, '');
  if (entryPort !== port) return false;
  if (bare.includes('/')) return isWithin(bare, host);
  if (bare.startsWith('.')) return host.endsWith(bare);
  return host === bare || (bare !== '' && host.endsWith(`.${bare}`));
}

function isWithin(network: string, host: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || !/^[0-9]{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(bits), type);
  return list.check(host, type);
}
