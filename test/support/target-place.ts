import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { quietContext } from '../../src/context.ts';
import type { Journal, Target } from '../../src/targets/target.ts';
import { deliveryOf, memoryJournal } from './deliveries.ts';
import type { Sample } from './deliveries.ts';

/** A place on disk for the target of a file of tests, with its journal: all of it gone after every test. */
export interface TargetPlace {
  readonly base: string;
  /** Below `base`; the target makes it. */
  readonly directory: string;
  readonly journal: Journal;
  /** One more process, as it were: another target of the same directory and journal. */
  readonly target: () => Target;
  /** The enclave's state is lost. */
  readonly forget: () => void;
  /** What `expect` says, in a session of its own that never gets as far as a byte. */
  readonly refusal: (...samples: readonly Sample[]) => Promise<unknown>;
}

interface Dependencies {
  readonly journal: () => Journal;
  readonly pid: number;
}

export function targetPlace(make: (directory: string, dependencies: Dependencies) => Target): TargetPlace {
  const base = mkdtempSync(join(tmpdir(), 'dray-'));
  const directory = join(base, 'target');
  const journal = memoryJournal();
  const target = (): Target => make(directory, { journal: () => journal, pid: process.pid });
  const forget = (): void => journal.keys().forEach((key) => journal.delete(key));
  const refusal = async (...samples: readonly Sample[]): Promise<unknown> => {
    const opened = target();
    try {
      await opened.open(quietContext());
      for (const sample of samples) await opened.expect(deliveryOf(sample, opened));
      return undefined;
    } catch (error) {
      return error;
    } finally {
      await opened.close();
    }
  };
  beforeEach(() => {
    mkdirSync(base, { recursive: true });
    forget();
  });
  afterEach(() => rmSync(base, { recursive: true }));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  return { base, directory, journal, target, forget, refusal };
}
