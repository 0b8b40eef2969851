import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readUpstreams } from '../../src/registry/upstreams.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dray-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

function file(text: string): Readonly<Record<string, string>> {
  writeFileSync(join(home, 'upstreams.yaml'), text);
  return { DRAY_UPSTREAMS: join(home, 'upstreams.yaml') };
}

describe('readUpstreams', () => {
  it('has nothing to say without a file', async () => {
    expect([...(await readUpstreams({ HOME: home }))]).toEqual([]);
    expect([...(await readUpstreams({}))]).toEqual([]);
    expect([...(await readUpstreams(file('')))]).toEqual([]);
  });

  it('reads how hosts are reached; paths are relative to the file', async () => {
    const text =
      'nvcr.io: {mirror: http://127.0.0.1:5001, caFile: ca.pem, certFile: c.pem, keyFile: /k.pem, plainHttp: true}\nB.example:5000: {plainHttp: false}\n';
    expect([...(await readUpstreams(file(text)))]).toEqual([
      [
        'nvcr.io',
        {
          mirror: 'http://127.0.0.1:5001',
          caFile: join(home, 'ca.pem'),
          certFile: join(home, 'c.pem'),
          keyFile: '/k.pem',
          plainHttp: true,
        },
      ],
      ['b.example:5000', { plainHttp: false }],
    ]);
  });

  it('looks into the directory for configuration', async () => {
    mkdirSync(join(home, '.config', 'dray'), { recursive: true });
    writeFileSync(join(home, '.config', 'dray', 'upstreams.yaml'), 'a.example: {plainHttp: true}');
    expect([...(await readUpstreams({ HOME: home }))]).toEqual([['a.example', { plainHttp: true }]]);
  });

  it('demands the file that is named', async () => {
    await expect(readUpstreams({ DRAY_UPSTREAMS: join(home, 'none.yaml') })).rejects.toMatchObject({
      code: 'io-failed',
    });
  });

  it.each([
    ['an unknown key', 'a.example: {miror: http://b.example}', 'miror'],
    ['a mirror that is no URL', 'a.example: {mirror: b.example}', 'http://'],
    ['a mirror of another kind', 'a.example: {mirror: "ftp://b.example"}', 'http://'],
    ['a login in it', 'a.example: {mirror: "http://user:pass@b.example"}', 'without a login'],
    ['half a certificate', 'a.example: {certFile: c.pem}', 'together'],
    ['a URL for a host', 'https://a.example/: {plainHttp: true}', 'a host with or without port'],
    ['something else than true', 'a.example: {plainHttp: yes}', 'true or false'],
  ])('refuses %s', async (_, text, says) => {
    await expect(readUpstreams(file(text))).rejects.toMatchObject({
      code: 'upstreams-invalid',
      message: expect.stringContaining(says) as string,
    });
  });
});
