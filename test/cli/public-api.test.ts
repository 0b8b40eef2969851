import { expect, test } from 'vitest';
import * as drayage from '../../src/index.ts';

test('the public API has the actions, the errors and nothing that is an implementation', () => {
  expect(Object.keys(drayage).sort()).toEqual(
    [
      ...['CATALOGUE', 'DrayError', 'asDrayError', 'at', 'quietContext'],
      ...['diff', 'fetch', 'init', 'inspect', 'keygen', 'load', 'lock', 'pack', 'sign', 'status', 'verify'],
    ].sort(),
  );
});
