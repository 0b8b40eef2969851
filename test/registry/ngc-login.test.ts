import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { startServer } from '../support/loopback-server.ts';
import type { LoopbackServer } from '../support/loopback-server.ts';
import { network } from './support.ts';

const KEY = 'bGVnYWN5LXMzY3JldA';
const TEAM = '/v2/org/nvidia/team/tao/models/net';
const ORG = '/v2/org/nvidia/models/net';

let api: LoopbackServer;
let auth: LoopbackServer;
let home: string;
/** What was shown to the API, and to the token service. */
let shown: (string | undefined)[];
let basics: (string | undefined)[];
let refused: Set<string>;
let answerToken: (n: number) => { readonly status?: number; readonly body: string; readonly location?: string };

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'dray-'));
  [shown, basics, refused] = [[], [], new Set()];
  answerToken = (n) => ({ body: JSON.stringify({ token: `t${n}` }) });
  api = await startServer((request, response) => {
    shown.push(request.headers.authorization);
    const isRefused = refused.has(request.headers.authorization ?? '');
    response.writeHead(isRefused ? 401 : 200, { 'content-type': 'application/json' }).end('{}');
  });
  auth = await startServer((request, response) => {
    basics.push(request.headers.authorization);
    const { status = 200, body, location } = answerToken(basics.length);
    response.writeHead(status, location === undefined ? {} : { location }).end(body);
  });
});
afterEach(async () => {
  await Promise.all([api.stop(), auth.stop()]);
  rmSync(home, { recursive: true });
});

const environment = (more: Readonly<Record<string, string>>): Record<string, string> => ({
  NGC_ENDPOINT: api.url,
  NGC_AUTH_ENDPOINT: auth.url,
  HOME: home,
  ...more,
});
const config = (text: string, below = home): void => {
  mkdirSync(join(below, '.ngc'), { recursive: true });
  writeFileSync(join(below, '.ngc', 'config'), text);
};

describe('a key of NGC', () => {
  it.each([
    ['NGC_API_KEY', { NGC_API_KEY: 'nvapi-one', NGC_CLI_API_KEY: 'nvapi-two' }, '', 'Bearer nvapi-one'],
    ['NGC_CLI_API_KEY', { NGC_API_KEY: ' ', NGC_CLI_API_KEY: ' nvapi-two\n' }, '', 'Bearer nvapi-two'],
    ['the file', {}, '[CURRENT]\napikey = nvapi-three\nformat_type = ascii\norg = nvidia\n', 'Bearer nvapi-three'],
    ['the file, in other words', {}, ';WARNING\n[CURRENT]\r\nAPIKEY="nvapi-three"\r\n', 'Bearer nvapi-three'],
    ['nowhere', {}, '', undefined],
    ['the file of a guest', {}, '[CURRENT]\napikey = no-apikey\n', undefined],
    ['the file without one', {}, '[CURRENT]\norg = nvidia\n', undefined],
  ])('is found in %s', async (_, given, file, expected) => {
    if (file !== '') config(file);
    await network({ environment: environment(given) }).ask(`${api.url}${TEAM}`);
    expect(shown).toEqual([expected]);
  });

  it('is found below NGC_CLI_HOME', async () => {
    config('apikey: nvapi-elsewhere\n', join(home, 'elsewhere'));
    await network({ environment: environment({ NGC_CLI_HOME: join(home, 'elsewhere') }) }).ask(`${api.url}${TEAM}`);
    expect(shown).toEqual(['Bearer nvapi-elsewhere']);
  });

  it('that is none is never sent', async () => {
    const asked = network({ environment: environment({ NGC_API_KEY: 'nvapi-a\r\nx-evil: 1' }) }).ask(
      `${api.url}${TEAM}`,
    );
    await expect(asked).rejects.toMatchObject({
      code: 'login-refused',
      message: 'NGC_API_KEY: expected a key of NGC, found other characters in it',
    });
    expect(shown).toEqual([]);
  });

  it('is shown to the origin of the API and to no other', async () => {
    const other = await startServer((request, response) => {
      shown.push(request.headers.authorization);
      response.end('{}');
    });
    const connected = network({ environment: environment({ NGC_API_KEY: 'nvapi-one' }) });
    await connected.ask(`${other.url}${TEAM}`);
    await connected.ask(`${api.url}${TEAM}`, { login: false });
    expect(shown).toEqual([undefined, undefined]);
    await other.stop();
  });
});

describe('a legacy key', () => {
  const connected = (
    more: Readonly<Record<string, string>> = {},
    now = (): Date => new Date(),
  ): ReturnType<typeof network> =>
    network({ ctx: { ...quietContext(), now }, environment: environment({ NGC_API_KEY: KEY, ...more }) });

  it('is exchanged for a token for the organisation and the team that are asked about, in one value', async () => {
    const to = connected();
    await to.ask(`${api.url}${TEAM}`);
    await to.ask(`${api.url}${ORG}`);
    await to.ask(`${api.url}/v2/models/org/nvidia/team/tao/net/1/files?page-size=1`);
    expect(auth.seen).toEqual([
      'GET /token?service=ngc&scope=group%2Fngc%3Anvidia%26group%2Fngc%3Anvidia%2Ftao',
      'GET /token?service=ngc&scope=group%2Fngc%3Anvidia',
    ]);
    expect(basics[0]).toBe(`Basic ${Buffer.from(`$oauthtoken:${KEY}`).toString('base64')}`);
    expect(shown).toEqual(['Bearer t1', 'Bearer t2', 'Bearer t1']);
  });

  it('gives one token to all that ask at a time', async () => {
    const to = connected();
    await Promise.all(Array.from({ length: 8 }, () => to.ask(`${api.url}${TEAM}`)));
    expect([auth.seen.length, new Set(shown)]).toEqual([1, new Set(['Bearer t1'])]);
  });

  it.each([
    ['where nothing is said of its life', {}, 599, 601],
    ['by what is said of it', { expires_in: 60 }, 39, 41],
  ])('gives another after two thirds of its life, %s', async (_, more, before, after) => {
    answerToken = (n) => ({ body: JSON.stringify({ access_token: `t${n}`, ...more }) });
    let now = 0;
    const to = connected({}, () => new Date(now));
    for (now of [0, before * 1000, after * 1000]) await to.ask(`${api.url}${TEAM}`);
    expect(shown).toEqual(['Bearer t1', 'Bearer t1', 'Bearer t2']);
  });

  it('gives another where one is refused, once for all that wait, and no third', async () => {
    const to = connected();
    refused.add('Bearer t1');
    await Promise.all([1, 2, 3].map(() => to.ask(`${api.url}${TEAM}`)));
    expect(auth.seen).toHaveLength(2);
    refused.add('Bearer t2').add('Bearer t3');
    expect(await to.ask(`${api.url}${TEAM}`)).toMatchObject({ status: 401 });
    expect(auth.seen).toHaveLength(3);
  });

  it.each([
    [{ status: 401, body: 'no' }, 'refuses the key of NGC_API_KEY for nvidia/tao'],
    [{ body: '{"token":"a\\r\\nb"}' }, 'expected a token for nvidia/tao, found something else'],
    [{ body: '<html>' }, 'expected a token for nvidia/tao, found something else'],
    [{ status: 302, body: '', location: 'http://127.0.0.1:1/steal' }, 'answered 302'],
  ])('that is answered with %j is an error without the key', async (answer, said) => {
    answerToken = () => answer;
    const error: unknown = await connected()
      .ask(`${api.url}${TEAM}`)
      .catch((failure: unknown) => failure);
    expect(String(error)).toContain(said);
    expect(JSON.stringify(error)).not.toContain(KEY);
    expect(shown).toEqual([]);
    await expect(connected().ask(`${api.url}${TEAM}`)).rejects.toThrow(said);
  });

  it('is never sent in the clear', async () => {
    const to = connected({ NGC_AUTH_ENDPOINT: 'http://authn.example' });
    await expect(to.ask(`${api.url}${TEAM}`)).rejects.toMatchObject({ code: 'login-refused' });
  });

  it('is renewed in the middle of a download', async () => {
    const content = Buffer.alloc(3_000_000, 1);
    let cut = true;
    const files = await startServer((request, response) => {
      shown.push(request.headers.authorization);
      if (refused.has(request.headers.authorization ?? '')) return response.writeHead(401).end();
      const start = Number(/^bytes=([0-9]+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const range = start === 0 ? {} : { 'content-range': `bytes ${start}-2999999/3000000` };
      response.writeHead(start === 0 ? 200 : 206, { ...range, 'content-length': content.length - start });
      if (!cut) return response.end(content.subarray(start));
      cut = false;
      refused.add('Bearer t1');
      return response.write(content.subarray(0, 1_200_000), () => response.destroy());
    });
    const to = connected({ NGC_ENDPOINT: files.url });
    const found = await to.file(`${files.url}${TEAM}/versions/1/files/a`, { size: content.length });
    let size = 0;
    for await (const block of found.content(0)) size += block.length;
    expect([size, [...new Set(shown)], auth.seen.length]).toEqual([3_000_000, ['Bearer t1', 'Bearer t2'], 2]);
    await files.stop();
  });
});
