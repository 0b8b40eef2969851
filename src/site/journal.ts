import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DrayError } from '../errors.ts';
import { openLog, readLog } from '../io/disk/append-log.ts';
import type { AppendLog } from '../io/disk/append-log.ts';

/** What one target keeps between two runs (the contract is `Journal` of the targets' room). */
export interface TargetJournal {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  setAll(changes: Iterable<readonly [key: string, value: unknown]>): void;
  delete(key: string): void;
  close(): void;
}

/** A line holds at most this many changes, so that no line becomes unwieldy. */
const CHANGES_PER_LINE = 1000;
/** Compacting is worth a rewrite only where the log has this many changes that no longer count. */
const WORTH_COMPACTING = 1000;

/** The file that keeps a target's journal: a target's URI may hold anything, its digest is a name everywhere. */
export function journalFile(directory: string, target: string): string {
  return join(directory, `${createHash('sha256').update(target).digest('hex')}.jsonl`);
}

/**
 * Opens the journal of a target: a log of changes, each line an object of keys and their values, null for one deleted.
 * The first line says for people which target it is. `readOnly`: nothing is written, not even a directory made.
 * @throws `state-damaged`
 */
export function openJournal(directory: string, target: string, readOnly: boolean): TargetJournal {
  const path = journalFile(directory, target);
  if (readOnly) return journalOn(path, replay(readLog(path)).values, undefined);
  mkdirSync(directory, { recursive: true });
  const { lines, log } = openLog(path);
  const { values, changes } = replay(lines);
  const header = { target };
  if (lines.length === 0) log.append([header]);
  else if (changes - values.size >= Math.max(WORTH_COMPACTING, values.size)) log.replace([header, ...encode(values)]);
  return journalOn(path, values, log);
}

function journalOn(path: string, values: Map<string, unknown>, log: AppendLog | undefined): TargetJournal {
  const setAll = (changes: Iterable<readonly [string, unknown]>): void => {
    const last = new Map([...changes].map(([key, value]) => [key, value ?? undefined]));
    const wanted = [...last].filter(([key, value]) => value !== undefined || values.has(key));
    if (wanted.length === 0) return;
    if (log === undefined) throw new DrayError('internal', `${path}: opened for reading only`);
    log.append([...encode(wanted)]);
    for (const [key, value] of wanted) {
      if (value === undefined) values.delete(key);
      else values.set(key, value);
    }
  };
  return {
    get: (key) => values.get(key),
    set: (key, value) => setAll([[key, value]]),
    setAll,
    delete: (key) => setAll([[key, undefined]]),
    close: () => log?.close(),
  };
}

function replay(lines: readonly unknown[]): { readonly values: Map<string, unknown>; readonly changes: number } {
  const values = new Map<string, unknown>();
  let changes = 0;
  for (const [, line] of lines.slice(1).entries()) {
    for (const [key, value] of Object.entries(line as object)) {
      changes++;
      if (value === null) values.delete(key);
      else values.set(key, value);
    }
  }
  return { values, changes };
}

/** Lines of changes. Without a prototype, so that a key can be any text. */
function* encode(changes: Iterable<readonly [string, unknown]>): Generator<object> {
  let line: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  let count = 0;
  for (const [key, value] of changes) {
    line[key] = value ?? null;
    if (++count % CHANGES_PER_LINE !== 0) continue;
    yield line;
    line = Object.create(null) as Record<string, unknown>;
  }
  if (count % CHANGES_PER_LINE !== 0) yield line;
}
