import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { childrenOf, escapeXml, parseXml, textOf } from '../../src/s3/xml.ts';

describe('the XML that S3 answers', () => {
  it('is elements and text', () => {
    const text =
      '<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n <B c="d">x &amp; y</B><E/><E f="g" /><B> z&#x20;&#33;&quot;</B></A>\n';
    const root = parseXml(text, 's');
    expect([root.name, textOf(root, 'B'), textOf(root, 'E'), textOf(root, 'none')]).toEqual([
      'A',
      'x & y',
      '',
      undefined,
    ]);
    expect(childrenOf(root, 'B').map((child) => child.text)).toEqual(['x & y', ' z !"']);
  });

  it('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(parseXml(`<a><b>${escapeXml(text)}</b></a>`, 's').children[0]?.text).toBe(text);
      }),
    );
  });

  it.each([
    '',
    'words',
    '<a>',
    '</a>',
    '<a></b>',
    '<a></a></a>',
    '<a/><b/>',
    '<a><b></a></b>',
    '<a>&unknown;</a>',
    '<a>&#1114112;</a>',
    '<a>&toString;</a>',
    '<a>&amp</a>',
    '<a>&</a>',
    '<!DOCTYPE a><a/>',
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    '<a><![CDATA[b]]></a>',
    '<a><!-- b --></a>',
    '<a b="<"></a>',
    '<a'.repeat(10),
    '<a>'.repeat(20) + '</a>'.repeat(20),
  ])('is nothing else: %j', (text) => {
    expect(() => parseXml(text, 's')).toThrow('s: expected an answer in XML');
  });

  it('is never anything but an element or that error, whatever comes', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '/',
      'a',
      '<a>',
      '</a>',
      '<a/>',
      '&',
      '&amp;',
      ';',
      '"',
      ' ',
      '<?',
      '?>',
      '<!',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        try {
          expect(parseXml(pieces.join(''), 's').name).not.toBe('');
        } catch (error) {
          expect((error as { code?: string }).code).toBe('target-failed');
        }
      }),
    );
  });

  it('is read in one pass, however it is made', () => {
    for (const text of [
      '<a>'.repeat(200_000),
      '<a '.repeat(200_000),
      `<a>${'&amp;'.repeat(200_000)}`,
      `<a>${'<b/>'.repeat(200_000)}`,
      '&'.repeat(400_000),
    ])
      expect(() => parseXml(text, 's')).toThrow('s: expected an answer in XML');
  }, 120_000);
});
