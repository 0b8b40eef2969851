import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNaming } from '../../src/store/naming.ts';
import { scratch } from '../support/bundles.ts';

let here: ReturnType<typeof scratch>;
beforeEach(() => (here = scratch()));
afterEach(() => here.remove());

const named = (name: string): string => join(here.path, 'named', name);

function complete(name: string): { temporary: string; path: string; synced: boolean } {
  const temporary = join(here.path, name);
  writeFileSync(temporary, name);
  return { temporary, path: named(name), synced: false };
}

describe('naming', () => {
  it('is done for each file when its promise is settled, however many come at a time', async () => {
    mkdirSync(named(''));
    const name = openNaming(named(''));
    for (let round = 0; round < 3; round++)
      await Promise.all(
        Array.from({ length: 40 }, async (_, index) => {
          if (index % 3 === 0) await new Promise(setImmediate);
          const file = complete(`${round}-${index}`);
          await name(file);
          expect([existsSync(file.path), existsSync(file.temporary)]).toEqual([true, false]);
        }),
      );
    expect(readdirSync(named(''))).toHaveLength(120);
  });

  it('goes on after a failure, which those hear of whom it concerns', async () => {
    mkdirSync(named(''));
    const name = openNaming(named(''));
    const failing = name({ temporary: join(here.path, 'none'), path: named('none'), synced: false });
    await expect(failing).rejects.toMatchObject({ code: 'ENOENT' });
    await name(complete('after'));
    expect(readdirSync(named(''))).toEqual(['after']);
  });
});
