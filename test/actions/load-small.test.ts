import { expect, it } from 'vitest';
import type { Brought } from '../../src/actions/load/piece.ts';
import { along, isTaken, takeSmall } from '../../src/actions/load/small.ts';
import { LoadTarget } from '../../src/actions/load/target.ts';
import type { SmallPieces } from '../../src/bundle/small-pieces.ts';
import type { Piece } from '../../src/bundle/table.ts';
import { quietContext } from '../../src/context.ts';
import type { Event } from '../../src/context.ts';
import { DrayError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Target } from '../../src/targets/target.ts';

const BYTES = Buffer.from('content');
const PIECE: Piece = { offset: 0, size: BYTES.length, digest: digestOf(BYTES) };
const MIB = 1024 * 1024;

/** A target as far as it is asked here. */
function target(take: Target['take'], patience = 60_000, events: Event[] = []): LoadTarget {
  const ctx = { ...quietContext(), report: (event: Event) => void events.push(event) };
  const made = new LoadTarget({ uri: 'test:', ...(take && { take }) } as Target, ctx, patience);
  made.expected = BYTES.length;
  made.begin();
  return made;
}

function take(...targets: readonly LoadTarget[]): Brought | Promise<Brought> {
  const small = { read: () => BYTES } as unknown as SmallPieces;
  return takeSmall({ piece: PIECE, targets }, 0, small, () => undefined);
}

it('gives a small piece to all its targets before it returns', () => {
  const events: Event[] = [];
  const seen: string[] = [];
  const taking = target((_blob, bytes) => void seen.push(Buffer.from(bytes).toString()), 60_000, events);
  expect(take(taking, taking)).toEqual({ damage: undefined, failures: [] });
  expect(seen).toEqual(['content', 'content']);
  expect(events.filter(({ type }) => type === 'bytes')).toMatchObject([{ bytes: 7 }, { bytes: 7 }]);
});

it('tells of each target that fails, now or later, and goes on with the others', async () => {
  const now = target(() => {
    throw new Error('now');
  });
  const later = target(() => Promise.reject(new Error('later')));
  const fine = target(() => Promise.resolve());
  const { failures } = await take(now, fine, later);
  expect(failures.map(({ error }) => (error as Error).message)).toEqual(['now', 'later']);
  expect(failures.map((failure) => failure.target)).toEqual([now, later]);
});

it('gives nothing of a damaged piece to anybody', () => {
  const refusing = target(() => {
    throw new Error('was asked');
  });
  const damage = new DrayError('content-damaged', 'other bytes');
  const small = {
    read: () => {
      throw damage;
    },
  } as unknown as SmallPieces;
  expect(takeSmall({ piece: PIECE, targets: [refusing] }, 0, small, () => undefined)).toEqual({ damage, failures: [] });
});

it('does not wait for ever for a target that has more to do', async () => {
  const silent = target(() => new Promise(() => undefined), 80);
  const { failures } = await take(silent);
  expect(failures).toMatchObject([{ error: { code: 'target-silent' } }]);
});

it('a target that is dropped meanwhile is not waited for', async () => {
  const hanging = target(() => new Promise(() => undefined));
  const brought = take(hanging);
  const why = new DrayError('target-silent', 'gone');
  hanging.drop(why);
  expect((await brought).failures).toMatchObject([{ error: why }]);
});

it('is for whole small blobs as they are, where every target takes them', () => {
  const [takes, takesNot] = [target(() => undefined), target(undefined)];
  const blob = { blob: digestOf('blob'), blobSize: 99 };
  expect(isTaken({ piece: PIECE, targets: [takes] })).toBe(true);
  expect(isTaken({ piece: PIECE, targets: [takes, takesNot] })).toBe(false);
  expect(isTaken({ piece: PIECE, targets: [] })).toBe(false);
  expect(isTaken({ piece: { ...PIECE, ...blob, start: 3 }, targets: [takes] })).toBe(false);
  expect(isTaken({ piece: { ...PIECE, size: MIB + 1 }, targets: [takes] })).toBe(false);
});

it('reads along what is taken next, as far as a block goes', () => {
  const targets = [target(() => undefined)];
  const at = (offset: number, size: number, wanted = targets): { piece: Piece; targets: LoadTarget[] } => ({
    piece: { ...PIECE, offset, size },
    targets: wanted,
  });
  expect(along([at(512, 100), at(1536, 100), at(2560, 100, []), at(3584, 100)], 0)).toBe(1124);
  expect(along([at(0, 10), at(1024, MIB)], 0)).toBe(10);
  expect(along([at(0, 10), at(1024, 10)], 1)).toBe(10);
});
