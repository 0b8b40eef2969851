import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../src/registry/challenge.ts';

describe('parseChallenges', () => {
  it('reads what registries send', () => {
    const header =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"';
    expect(parseChallenges(header)).toEqual([
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,push',
        },
      },
    ]);
  });

  it('reads several in one line, in any case, quoted or not', () => {
    expect(parseChallenges('BASIC Realm=plain, Negotiate, bearer REALM="a \\"b\\" , c" ,x=')).toEqual([
      { scheme: 'basic', parameters: { realm: 'plain' } },
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'bearer', parameters: { realm: 'a "b" , c', x: '' } },
    ]);
  });

  it.each(['', ',,,', 'realm="x"', '"', '===', 'Bearer realm="never closed'])('survives %j', (header) => {
    expect(() => parseChallenges(header)).not.toThrow();
  });

  it('ends for any header', () => {
    fc.assert(fc.property(fc.string({ maxLength: 300 }), (header) => Array.isArray(parseChallenges(header))));
    expect(parseChallenges('a '.repeat(100_000)).length).toBeLessThan(10_000);
  });
});
