import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectSafe, snapshot, standardWorkplace } from '../support/enclave.ts';
import type { Workplace } from '../support/enclave.ts';
import { sumsOf } from '../support/forge.ts';
import { program } from '../support/programs.ts';

/** Media that hold other things than files: nothing of that is followed, waited for or believed. */
let place: Workplace;
let out: string;
let copies = 0;
const servers: Server[] = [];
beforeAll(async () => {
  place = await standardWorkplace();
  const pack = ['--key', 'release.key', '--sequence', '1'];
  await place.succeed(['pack', 'archive', ...pack]);
  await place.succeed(['pack', 'directory', ...pack, '--format', 'directory']);
});
beforeEach(() => {
  for (const directory of ['files', 'models', 'state']) rmSync(place.path(directory), { recursive: true, force: true });
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const medium = (file = ''): string => place.path(out, 'cargo-1-1of1', file);

/** What may stand where a file was: the same content behind a link, and things that never end or never begin. */
const OTHERS: Readonly<Record<string, (path: string) => unknown>> = {
  'a link to the very same content': (path) => {
    renameSync(path, place.path(`moved-${copies}`));
    symlinkSync(place.path(`moved-${copies}`), path);
  },
  'a link beside it': (path) => {
    renameSync(path, `${path}.real`);
    symlinkSync(`${path}.real`, path);
  },
  'a link to nowhere': (path) => {
    rmSync(path);
    symlinkSync('nowhere', path);
  },
  'a link to itself': (path) => {
    rmSync(path);
    symlinkSync(path, path);
  },
  'a device without end': (path) => {
    rmSync(path);
    symlinkSync('/dev/zero', path);
  },
  'a directory': (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  'a socket': async (path) => {
    rmSync(path);
    const server = createServer();
    servers.push(server);
    await new Promise<void>((listening) => server.listen(path, listening));
  },
  ...(program('mkfifo') === undefined
    ? {}
    : {
        'a pipe that nobody writes to': (path) => {
          rmSync(path);
          execFileSync('mkfifo', [path]);
        },
      }),
  ...(process.getuid?.() === 0 && program('mknod') !== undefined
    ? {
        'a device': (path) => {
          rmSync(path);
          execFileSync('mknod', [path, 'c', '1', '5']);
        },
      }
    : {}),
};

const FILES = [
  ['archive', 'bundle.json'],
  ['archive', 'bundle.json.1.sigstore.json'],
  ['archive', 'cargo-1.v0001.tar'],
  ['archive', 'cargo-1.v0001.pieces'],
  ['archive', 'cargo-1.v0001.chunks'],
  ['archive', 'SHA256SUMS'],
  ['archive', 'READ-ME.txt'],
  ['directory', 'oci-layout'],
  ['directory', 'index.json'],
  ['directory', 'cargo-1.v0001.chunks'],
] as const;

describe.each(FILES)('in the %s format, in the place of %s', (format, file) => {
  it.each(Object.keys(OTHERS))('%s', async (other) => {
    out = place.copy(format, `out-${++copies}`);
    await OTHERS[other]!(medium(file));
    const verified = await place.run(['verify', out, '--key', 'release.pub', '--json']);
    expect([10, 11, 12], verified.out).toContain(verified.status);
    expectSafe(verified.err);
    expect(`${verified.out}${verified.err}`).toMatch(
      file === 'cargo-1.v0001.chunks' && format === 'directory'
        ? /chunks|cargo-1-1of1/
        : new RegExp(file.replaceAll('.', '\\.')),
    );
    const { status, json } = await place.run(['load', out, '--site', 'site.yaml', '--json']);
    // What lies beside the volumes is nothing that a load needs.
    const needed =
      !['SHA256SUMS', 'READ-ME.txt', 'oci-layout', 'index.json'].includes(file) &&
      !(format === 'archive' && file.endsWith('chunks'));
    expect([needed ? [10, 11, 12].includes(status) : status === 0, status, file]).toEqual([true, status, file]);
    expect(json()['accepted'] === true).toBe(!needed);
  });
});

describe('in the directory format', () => {
  const blobs = (): string[] => Object.keys(snapshot(medium('blobs/sha256'))).map((name) => `blobs/sha256/${name}`);

  it.each(Object.keys(OTHERS))('in the place of any blob, %s', async (other) => {
    for (const index of blobs0()) {
      out = place.copy('directory', `out-${++copies}`);
      const blob = blobs()[index]!;
      await OTHERS[other]!(medium(blob));
      const { message } = await place.fail(['verify', out, '--key', 'release.pub'], 11, 'content-damaged');
      expect(message).toMatch(/blobs\/sha256|expected/);
      const { status } = await place.run(['load', out, '--site', 'site.yaml', '--json']);
      expect([0, 11]).toContain(status);
    }
  });

  const blobs0 = (): number[] => {
    out = 'directory';
    return blobs()
      .map((_, index) => index)
      .filter((index) => index % 3 === 0);
  };

  it.each(['blobs', 'blobs/sha256'])('in the place of %s, a link to the very same', async (directory) => {
    out = place.copy('directory', `out-${++copies}`);
    renameSync(medium(directory), place.path(`moved-${copies}`));
    symlinkSync(place.path(`moved-${copies}`), medium(directory));
    await place.fail(['verify', out, '--key', 'release.pub'], 11, 'content-damaged');
    const { document } = await place.fail(['load', out, '--site', 'site.yaml'], 11, 'content-damaged');
    expect(document['accepted']).not.toBe(true);
    expect([existsSync(place.path('files')), existsSync(place.path('models'))]).toEqual([false, false]);
  });
});

describe('SHA256SUMS', () => {
  const write = (text: string): void => writeFileSync(medium('SHA256SUMS'), text);
  const good = (): string => sumsOf(medium());

  it.each([
    ['outside', '../../release.pub'],
    ['at an absolute path', '/etc/hostname'],
    ['behind a link', 'elsewhere/release.pub'],
    ['that is a device', 'zero'],
  ])('never leads to a file %s', async (_where, name) => {
    out = place.copy('archive', `out-${++copies}`);
    symlinkSync(place.path(), medium('elsewhere'));
    symlinkSync('/dev/zero', medium('zero'));
    // The right digest: whoever follows it is found out, for then all is well.
    const hex = snapshot(dirname(place.path('release.pub')))['release.pub']?.split(' ')[1] ?? '';
    write(`${good()}${hex}  ${name}\n`);
    await place.fail(['verify', out, '--key', 'release.pub'], 11, 'content-damaged');
  });

  it.each<readonly [string, (text: string) => string]>([
    ['is empty', () => ''],
    ['lacks a line', (text) => text.split('\n').slice(1).join('\n')],
    ['lacks its last line', (text) => `${text.trimEnd().split('\n').slice(0, -1).join('\n')}\n`],
    ['ends early', (text) => text.slice(0, -20)],
    ['has a line that is none', (text) => `${text}rubbish\n`],
    ['marks files as binary', (text) => text.replace('  ', ' *')],
    ['has carriage returns', (text) => text.replaceAll('\n', '\r\n')],
    ['speaks to the terminal', (text) => `${text}${'0'.repeat(64)}  \u001b[2J\n`],
    ['is endless', (text) => text + `${'0'.repeat(64)}  x\n`.repeat(1000)],
  ])('that %s', async (_what, change) => {
    out = place.copy('archive', `out-${++copies}`);
    write(change(good()));
    expect((await place.fail(['verify', out, '--key', 'release.pub'], 11, 'content-damaged')).message).toContain(
      'cargo-1-1of1',
    );
    await place.succeed(['load', out, '--site', 'site.yaml']);
  });

  it('may list more than the bundle has: such a file is checked, and is no finding', async () => {
    out = place.copy('archive', `out-${++copies}`);
    writeFileSync(medium('LETTER.txt'), 'dear colleagues');
    expect((await place.succeed(['verify', out, '--key', 'release.pub']))['findings']).toMatchObject([
      { severity: 'warning' },
    ]);
    write(good());
    expect((await place.succeed(['verify', out, '--key', 'release.pub']))['findings']).toEqual([]);
    writeFileSync(medium('LETTER.txt'), 'dear colleague');
    await place.fail(['verify', out, '--key', 'release.pub'], 11, 'content-damaged');
  });
});

describe('names on media', () => {
  it('that speak to the terminal are shown, not obeyed', async () => {
    out = `out-${++copies}`;
    const name = 'cargo-1\u001b[2J\u009b1m\u202e-1of1';
    place.copy('archive/cargo-1-1of1', join(out, name));
    writeFileSync(place.path(out, name, 'a\u001b]0;title\u0007b'), 'x');
    const shown = await place.run(['verify', out, '--key', 'release.pub']);
    expect([shown.status, shown.out.includes('\\u001b[2J')]).toEqual([0, true]);
    expectSafe(shown.out + shown.err);
    writeFileSync(place.path(out, name, 'READ-ME.txt'), 'x');
    const damaged = await place.run(['verify', out, '--key', 'release.pub']);
    expect(damaged.status).toBe(11);
    expectSafe(damaged.out + damaged.err);
    for (const words of [
      ['inspect', out, '--tree'],
      ['load', out, '--site', 'site.yaml', '-v'],
      ['load', join(out, name), '--site', 'site.yaml', '-v', '--progress', 'plain'],
    ]) {
      const ran = await place.run(words);
      expect(ran.status).toBe(0);
      expectSafe(ran.out + ran.err);
    }
    place.copy('archive/cargo-1-1of1', join(out, `x${name}`));
    writeFileSync(place.path(out, `x${name}`, 'bundle.json'), '{}');
    for (const words of [
      ['inspect', out],
      ['verify', out, '--key', 'release.pub'],
      ['load', out, '--site', 'site.yaml'],
    ]) {
      const ran = await place.run(words);
      expectSafe(ran.out + ran.err);
    }
    const bad = await place.run(['verify', join(out, `${name}-none`), '--key', 'release.pub']);
    expect(bad.status).toBe(2);
    expectSafe(bad.out + bad.err);
  });
});
