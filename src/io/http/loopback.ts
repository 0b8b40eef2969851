import { isIPv4 } from 'node:net';

/** Is this host name (as in `URL.hostname`) the machine itself: 127.0.0.0/8, `localhost`, `::1`? */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return name === 'localhost' || name === '::1' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}
