import { expect, test } from 'vitest';
import * as drayage from '../../src/index.ts';

test('the public API has the actions, the errors, and what a caller builds their arguments from; nothing else', () => {
  expect(Object.keys(drayage).sort()).toEqual(
    [
      ...['CATALOGUE', 'DrayError', 'asDrayError', 'at', 'quietContext'],
      ...['diff', 'doctor', 'fetch', 'init', 'inspect', 'keygen', 'load', 'lock', 'pack', 'sign', 'status', 'verify'],
      ...[
        'SOURCES',
        'UNLIMITED_MEDIUM',
        'createNetwork',
        'holdsBlob',
        'knownFrame',
        'loadPolicy',
        'openFrames',
        'openLayoutStore',
      ],
      ...['openSigner', 'openState', 'openTarget', 'parseMediaProfile', 'readManifest', 'readSite', 'readUpstreams'],
    ].sort(),
  );
});
