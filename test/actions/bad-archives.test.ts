import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { chartYaml, packedChart } from '../support/charts.ts';
import { manifest, snapshot, workplace } from '../support/enclave.ts';
import { dockerSaveItems } from '../support/images.ts';
import { tar } from '../support/tars.ts';

/** What is said of an archive is said at the archive: a line of the manifest is no line of it. */

const saved = dockerSaveItems([{ names: ['a.example/app:1'] }]);

describe('an archive of images', () => {
  it.each<[string, Buffer, RegExp]>([
    ['that lacks a layer', tar([saved[0]!, saved.at(-2)!]), /manifest\.json names 0-0\/layer\.tar, which is not in/],
    ['with a name that leads out', tar([...saved, { name: '../x' }]), /holds the name \.\.\/x, which leads out of it/],
  ])('%s', async (_, bytes, says) => {
    for (const [name, content] of [
      ['x.tar', bytes],
      ['x.tgz', gzipSync(bytes)],
    ] as const) {
      const place = workplace();
      place.write({ [name]: content, 'dray.yaml': manifest('cargo', `images: [{path: ${name}}]\n`) });
      const { message, hint, where } = await place.fail(['lock'], 11, 'content-damaged');
      expect(message).toMatch(says);
      expect(hint).toBe('get the archive again');
      expect(where).toEqual({ file: place.path(name), artifact: place.path(name) });
      expect((await place.run(['lock'])).err).not.toContain('│');
      expect(Object.keys(snapshot(place.path('.'))).includes('dray.lock')).toBe(false);
    }
  });
});

describe('a package of a chart', () => {
  const yaml = { name: 'app/Chart.yaml', content: chartYaml('app', '1.2.3') };
  it.each<[string, Buffer, RegExp]>([
    [
      'that is a bomb',
      packedChart({ 'Chart.yaml': yaml.content, 'files/zeros': Buffer.alloc(101 * 1024 * 1024) }),
      /expected it to unpack to at most 104857600 bytes, found more$/,
    ],
    [
      'with a name that leads out',
      gzipSync(tar([yaml, { name: 'app/../../x' }])),
      /holds the name app\/\.\.\/\.\.\/x, which leads out of it$/,
    ],
  ])('%s', async (_, bytes, says) => {
    const place = workplace();
    place.write({ 'app-1.2.3.tgz': bytes, 'dray.yaml': manifest('cargo', 'charts: [{path: app-1.2.3.tgz}]\n') });
    const { message, hint, where } = await place.fail(['lock'], 1, 'upstream-invalid');
    expect(message).toMatch(says);
    expect(hint).toBe('package it anew, or tell whoever publishes it');
    expect(where).toMatchObject({ file: place.path('dray.yaml'), line: 4 });
    expect(Object.keys(snapshot(place.path('.'))).includes('dray.lock')).toBe(false);
  });
});
