import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { quietContext } from '../../src/context.ts';
import { directoryTarget } from '../../src/targets/disk/directory.ts';
import { deliverAll, deliveryOf, filesSample, imageSample, noise, sendBlobs } from '../support/deliveries.ts';
import { targetPlace } from '../support/target-place.ts';

const { base, directory, journal, target, refusal } = targetPlace(directoryTarget);
const text = (path: string): string => readFileSync(join(directory, path), 'utf8');
const put = (path: string, content: string): void => {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), content);
};

describe('where files go', () => {
  it('puts a file set straight below the directory, wheels and models below their names', async () => {
    const samples = [
      filesSample('files', 'drivers', { 'drivers/580.run': 'driver' }),
      filesSample('wheels', 'own', { 'a-1-py3-none-any.whl': 'wheel' }),
      filesSample('models', 'example/m', { 'w.bin': 'weights' }),
    ];
    await deliverAll(target(), samples);
    expect([text('drivers/580.run'), text('own/a-1-py3-none-any.whl'), text('example/m/w.bin')]).toEqual([
      'driver',
      'wheel',
      'weights',
    ]);
    expect(existsSync(join(directory, 'drivers', 'drivers'))).toBe(false);
  });

  it('makes executable what is executable, whatever the umask, and the same content under another name not', async () => {
    await deliverAll(target(), [
      filesSample('files', 'f', { run: { content: 'same', executable: true }, read: 'same' }),
    ]);
    expect(['run', 'read'].map((path) => statSync(join(directory, path)).mode & 0o777)).toEqual([0o755, 0o644]);
    expect(['run', 'read'].map((path) => statSync(join(directory, path)).nlink)).toEqual([1, 1]);
  });

  it('follows a symbolic link to the directory itself: whoever wrote the site file chose it', async () => {
    mkdirSync(join(base, 'elsewhere'));
    symlinkSync(join(base, 'elsewhere'), directory);
    await deliverAll(target(), [filesSample('files', 'f', { a: 'a' })]);
    expect(readFileSync(join(base, 'elsewhere', 'a'), 'utf8')).toBe('a');
  });

  it.each([
    ['images', imageSample('host.example/app:1', [Buffer.from('layer')])],
    ['a name that is no path', filesSample('models', '../up', { a: 'a' })],
    ['the staging directory', filesSample('wheels', '.Dray-Staging/x', { a: 'a' })],
  ])('cannot hold %s', (_what, { artifact }) => {
    expect(() => target().nameOf(artifact)).toThrow(expect.objectContaining({ code: 'cannot-hold' }));
  });

  it.each(['../up', '/absolute', 'a/../../b', 'nul', 'back\\slash', '.dray-staging/lock'])(
    'refuses the title %s',
    async (title) => {
      expect(await refusal(filesSample('files', 'f', { [title]: 'x' }))).toMatchObject({ code: 'bundle-invalid' });
      expect(existsSync(directory)).toBe(false);
    },
  );

  it('does not deliver files of a signature', async () => {
    const image = imageSample('host.example/app:1', [Buffer.from('layer')], { signature: 'untagged' });
    const files = filesSample('files', 'f', { a: 'a' });
    const stray = filesSample('files', 'f', { stray: 'stray' });
    const documents = [...image.documents, ...stray.documents, ...files.documents];
    await deliverAll(target(), [{ ...files, documents }]);
    expect(existsSync(join(directory, 'stray'))).toBe(false);
  });
});

describe('what is there already', () => {
  const sample = filesSample('files', 'f', { 'd/a': 'delivered', b: noise(1_200_000, 'b') });

  it('takes a file with the same content as delivered, and leaves its mode alone', async () => {
    put('d/a', 'delivered');
    chmodSync(join(directory, 'd/a'), 0o600);
    const { blobs } = await deliverAll(target(), [sample]);
    expect(blobs).toBe(1);
    expect(statSync(join(directory, 'd/a')).mode & 0o777).toBe(0o600);
    expect((await deliverAll(target(), [sample])).present).toEqual(['f']);
  });

  it.each([
    ['same size', 'DELIVERED'],
    ['other size', 'mine'],
  ])('stops before the first byte at a file of another hand (%s)', async (_size, content) => {
    put('d/a', content);
    put('neighbour', 'stays');
    expect(await refusal(sample)).toMatchObject({ code: 'name-taken', exit: 1 });
    expect([text('d/a'), text('neighbour')]).toEqual([content, 'stays']);
    expect(existsSync(join(directory, 'b'))).toBe(false);
    expect(existsSync(join(directory, '.dray-staging'))).toBe(false);
  });

  it('replaces a file that it put there and somebody changed since', async () => {
    await deliverAll(target(), [sample]);
    put('d/a', 'edited');
    expect((await deliverAll(target(), [sample])).blobs).toBe(1);
    expect(text('d/a')).toBe('delivered');
  });

  it('brings back what was removed, and nothing else', async () => {
    await deliverAll(target(), [sample]);
    rmSync(join(directory, 'd'), { recursive: true });
    expect((await deliverAll(target(), [sample])).blobs).toBe(1);
    expect(text('d/a')).toBe('delivered');
  });

  it('reads a file again whose time changed, once', async () => {
    await deliverAll(target(), [sample]);
    utimesSync(join(directory, 'b'), 1, 1);
    const before = journal.get('file:b');
    expect((await deliverAll(target(), [sample])).present).toEqual(['f']);
    expect(journal.get('file:b')).not.toEqual(before);
    expect(journal.get('file:b')).toMatchObject({ mtimeNs: '1000000000' });
  });

  it('believes what looks the same, and reads everything on a recheck', async () => {
    await deliverAll(target(), [sample]);
    const { atime, mtime } = statSync(join(directory, 'b'));
    const rotten = readFileSync(join(directory, 'b'));
    rotten.writeUInt8(rotten.readUInt8(7) ^ 4, 7);
    writeFileSync(join(directory, 'b'), rotten);
    utimesSync(join(directory, 'b'), atime, mtime);
    // To the nanosecond as it was recorded: times set here lose what is below a microsecond.
    const { mtimeNs } = lstatSync(join(directory, 'b'), { bigint: true });
    journal.set('file:b', { ...(journal.get('file:b') as object), mtimeNs: String(mtimeNs) });
    expect((await deliverAll(target(), [sample])).present).toEqual(['f']);
    const { present, blobs } = await deliverAll(target(), [sample], true);
    expect({ present, blobs }).toEqual({ present: [], blobs: 1 });
    expect(readFileSync(join(directory, 'b')).equals(noise(1_200_000, 'b'))).toBe(true);
  });

  it('remembers damage that a recheck found, though it was killed before the cure', async () => {
    await deliverAll(target(), [sample]);
    const { mtimeNs } = lstatSync(join(directory, 'd/a'), { bigint: true });
    writeFileSync(join(directory, 'd/a'), 'deliverex');
    journal.set('file:d/a', {
      ...(journal.get('file:d/a') as object),
      mtimeNs: String(lstatSync(join(directory, 'd/a'), { bigint: true }).mtimeNs),
    });
    expect(mtimeNs).toBeGreaterThan(0n);
    const killed = target();
    await killed.open(quietContext());
    expect(await killed.present(sample.artifact, 'f', true)).toBe(false);
    await killed.close();
    expect((await deliverAll(target(), [sample])).blobs).toBe(1);
    expect(text('d/a')).toBe('delivered');
  });

  it('does not replace a file that appeared after it looked', async () => {
    const opened = target();
    await opened.open(quietContext());
    await opened.expect(deliveryOf(sample, opened));
    await sendBlobs(opened, [sample]);
    put('d/a', 'just now');
    await expect(opened.commit(deliveryOf(sample, opened))).rejects.toMatchObject({ code: 'name-taken' });
    await opened.close();
    expect(text('d/a')).toBe('just now');
    expect(existsSync(join(directory, 'b'))).toBe(false);
    rmSync(join(directory, 'd/a'));
    expect((await deliverAll(target(), [sample])).blobs).toBe(0);
  });
});

describe('what is in the way', () => {
  const sample = filesSample('files', 'f', { 'd/e/a': 'x' });

  it('names a file where a directory is needed', async () => {
    put('d/e', 'file');
    expect(await refusal(sample)).toMatchObject({
      code: 'name-taken',
      message: expect.stringContaining(join(directory, 'd/e')) as string,
    });
  });

  it('names a directory where the file goes', async () => {
    mkdirSync(join(directory, 'd/e/a'), { recursive: true });
    expect(await refusal(sample)).toMatchObject({ code: 'name-taken' });
  });

  it.each(['d', 'd/e', 'd/e/a'])('never follows a symbolic link at %s', async (link) => {
    mkdirSync(join(base, 'outside', 'e'), { recursive: true });
    mkdirSync(dirname(join(directory, link)), { recursive: true });
    symlinkSync(join(base, 'outside'), join(directory, link));
    expect(await refusal(sample)).toMatchObject({
      code: 'name-taken',
      message: expect.stringContaining('symbolic link') as string,
    });
    expect(existsSync(join(base, 'outside', 'e', 'a'))).toBe(false);
  });

  it('is not present any more behind a symbolic link', async () => {
    await deliverAll(target(), [sample]);
    mkdirSync(join(base, 'outside'));
    rmSync(join(directory, 'd'), { recursive: true });
    symlinkSync(join(base, 'outside'), join(directory, 'd'));
    const opened = target();
    await opened.open(quietContext());
    expect(await opened.present(sample.artifact, 'f', false)).toBe(false);
    await opened.close();
  });

  it('refuses a staging directory that is a symbolic link', async () => {
    mkdirSync(directory);
    mkdirSync(join(base, 'outside'));
    symlinkSync(join(base, 'outside'), join(directory, '.dray-staging'));
    await expect(target().open(quietContext())).rejects.toMatchObject({ code: 'target-failed' });
  });
});

describe('two artifacts', () => {
  it.each([
    ['one path, two contents', { a: '1' }, { a: '2' }],
    ['a file where the other needs a directory', { a: '1' }, { 'a/b': '2' }],
    ['a directory where the other brings a file', { 'a/b/c': '1' }, { 'a/b': '2' }],
  ])('collide: %s', async (_how, one, two) => {
    expect(await refusal(filesSample('files', 'one', one), filesSample('files', 'two', two))).toMatchObject({
      code: 'name-collision',
      exit: 2,
    });
  });

  it('may bring the same file', async () => {
    const [one, two] = [
      filesSample('files', 'one', { LICENSE: 'text', a: 'a' }),
      filesSample('files', 'two', { LICENSE: 'text', b: 'b' }),
    ];
    await deliverAll(target(), [one, two]);
    expect([text('LICENSE'), text('a'), text('b')]).toEqual(['text', 'a', 'b']);
    expect((await deliverAll(target(), [one, two])).present).toEqual(['one', 'two']);
  });

  it('may follow one another under one path: it is not the first that is there then', async () => {
    const [one, two] = [filesSample('files', 'one', { a: 'first' }), filesSample('files', 'two', { a: 'other' })];
    await deliverAll(target(), [one]);
    await deliverAll(target(), [two]);
    expect(text('a')).toBe('other');
    const opened = target();
    await opened.open(quietContext());
    expect(await opened.present(one.artifact, 'one', false)).toBe(false);
    expect(await opened.present(two.artifact, 'two', false)).toBe(true);
    await opened.close();
  });
});
