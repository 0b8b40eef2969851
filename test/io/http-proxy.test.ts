import { describe, expect, it } from 'vitest';
import { proxyAuthorization, proxyFor } from '../../src/io/http/proxy.ts';

const proxied = (url: string, NO_PROXY = ''): boolean =>
  proxyFor(new URL(url), { HTTPS_PROXY: 'http://proxy.example:3128', HTTP_PROXY: 'proxy.example:3129', NO_PROXY }) !==
  undefined;

describe('proxyFor', () => {
  it('takes the variable of the scheme, in lower case first', () => {
    const environment = {
      HTTPS_PROXY: 'http://a.example:1',
      https_proxy: 'http://b.example:2',
      HTTP_PROXY: 'c.example:3',
    };
    expect(proxyFor(new URL('https://host.example/'), environment)?.href).toBe('http://b.example:2/');
    expect(proxyFor(new URL('http://host.example/'), environment)?.href).toBe('http://c.example:3/');
    expect(proxyFor(new URL('https://host.example/'), { HTTP_PROXY: 'c.example:3' })).toBeUndefined();
  });

  it.each([
    ['https://host.example/', 'host.example', false],
    ['https://a.host.example/', 'host.example', false],
    ['https://a.host.example/', '.host.example', false],
    ['https://host.example/', '.host.example', true],
    ['https://a.host.example/', '*.host.example', false],
    ['https://nothost.example/', 'host.example', true],
    ['https://HOST.example/', 'other, Host.Example', false],
    ['https://host.example:8443/', 'host.example:8443', false],
    ['https://host.example/', 'host.example:8443', true],
    ['https://host.example/', 'host.example:443', false],
    ['https://host.example/', '*', false],
    ['https://10.1.2.3/', '10.0.0.0/8', false],
    ['https://11.1.2.3/', '10.0.0.0/8', true],
    ['https://[fd00::7]/', 'fd00::/8', false],
    ['https://[fd00::7]/', 'fd00::7', false],
    ['https://[fd00::7]:5000/', '[fd00::7]:5000', false],
    ['https://[fd00::7]:5001/', '[fd00::7]:5000', true],
    ['https://host.example/', '10.0.0.0/99', true],
    ['https://127.0.0.1:5000/', '', false],
    ['http://localhost:5000/', '', false],
    ['http://[::1]:5000/', '', false],
  ])('%s with NO_PROXY=%s', (url, list, expected) => {
    expect(proxied(url, list)).toBe(expected);
  });

  it('refuses a proxy that is no URL without showing it: it may hold a password', () => {
    const environment = { HTTPS_PROXY: 'socks5://user:s3cret@proxy.example' };
    const look = (): unknown => proxyFor(new URL('https://host.example/'), environment);
    expect(look).toThrow(/HTTPS_PROXY/);
    expect(look).not.toThrow(/s3cret/);
  });

  it('reads the login of a proxy', () => {
    const expected = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
    expect(proxyAuthorization(new URL('http://user:p%40ss@proxy.example'))).toBe(expected);
    expect(proxyAuthorization(new URL('http://proxy.example'))).toBeUndefined();
  });
});
