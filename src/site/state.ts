import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { DrayError } from '../errors.ts';
import { openLog, readLog } from '../io/disk/append-log.ts';
import type { AppendLog } from '../io/disk/append-log.ts';
import { TEMPORARY_PREFIX, atomicWrite } from '../io/disk/atomic-write.ts';
import { acquireLock } from '../io/disk/lock-file.ts';
import { openJournal } from './journal.ts';
import type { TargetJournal } from './journal.ts';

const utc = z.iso.datetime();
const sequence = z.int().positive();

const Accepted = z.object({
  name: z.string(),
  sequence,
  digest: z.templateLiteral(['sha256:', z.string().regex(/^[0-9a-f]{64}$/)]),
  created: utc,
  acceptedAt: utc,
  signers: z.array(z.string()).readonly(),
  note: z.string().exactOptional(),
});
type Accepted = z.infer<typeof Accepted>;

const Underway = z.array(z.object({ name: z.string(), sequence, since: utc }));
type Underway = z.infer<typeof Underway>[number];

export interface State {
  readonly directory: string;
  /** Of every bundle name the last one accepted. */
  readonly read: () => readonly Accepted[];
  readonly accept: (bundle: Accepted) => Promise<void>;
  readonly journal: (target: string) => TargetJournal;
  /** Bundles begun and not accepted since. */
  readonly underway: () => readonly Underway[];
  readonly begin: (bundle: Underway) => Promise<void>;
  readonly release: () => Promise<void>;
}

/** `readOnly`: for verbs that only read; takes no lock, writes nothing, and a directory that is not there is empty. */
export interface StateOptions {
  readonly readOnly: boolean;
  /** Of this process, for the lock. */
  readonly pid: number;
}

/**
 * Opens what an enclave keeps: `accepted.jsonl` (a log; the last entry of a name counts), `underway.json`, `journal/`
 * with a log for each target, and `lock`. A directory that cannot be written is an error here, before anything is loaded.
 * @throws `locked`, `state-damaged`
 */
export async function openState(directory: string, { readOnly, pid }: StateOptions): Promise<State> {
  if (!readOnly) mkdirSync(directory, { recursive: true });
  const unlock = readOnly ? undefined : await acquireLock(join(directory, 'lock'), `the state in ${directory}`, pid);
  try {
    if (!readOnly) sweep(directory);
    return stateIn(directory, readOnly, unlock);
  } catch (error) {
    await unlock?.();
    throw error;
  }
}

function stateIn(directory: string, readOnly: boolean, unlock: (() => Promise<void>) | undefined): State {
  const { accepted, log } = openAccepted(join(directory, 'accepted.jsonl'), readOnly);
  const begun = openUnderway(join(directory, 'underway.json'), accepted);
  const journals = new Map<string, TargetJournal>();
  return {
    directory,
    read: () => [...accepted.values()],
    accept: async (bundle) => {
      writable(log, directory).append([bundle]);
      accepted.set(bundle.name, bundle);
      await begun.strike(bundle);
    },
    journal: (target) => {
      const known = journals.get(target) ?? openJournal(join(directory, 'journal'), target, readOnly);
      journals.set(target, known);
      return known;
    },
    underway: begun.list,
    begin: async (bundle) => {
      writable(log, directory);
      await begun.add(bundle);
    },
    release: async () => {
      for (const journal of journals.values()) journal.close();
      log?.close();
      await unlock?.();
    },
  };
}

interface UnderwayFile {
  readonly list: () => readonly Underway[];
  readonly add: (bundle: Underway) => Promise<void>;
  readonly strike: (accepted: Accepted) => Promise<void>;
}

function openUnderway(path: string, accepted: ReadonlyMap<string, Accepted>): UnderwayFile {
  let begun = readUnderway(path);
  const write = async (list: readonly Underway[]): Promise<void> => {
    begun = list;
    await atomicWrite(path, `${JSON.stringify(list, null, 2)}\n`);
  };
  /** A crash between accepting and striking off leaves an entry here: the log is what counts. */
  const list = (): readonly Underway[] =>
    begun.filter(({ name, sequence, since }) => {
      const last = accepted.get(name);
      return last === undefined || last.sequence < sequence || Date.parse(last.acceptedAt) < Date.parse(since);
    });
  return {
    list,
    add: async (bundle) => {
      const isIt = ({ name, sequence }: Underway): boolean => name === bundle.name && sequence === bundle.sequence;
      if (!list().some(isIt)) await write([...list(), bundle]);
    },
    strike: async (bundle) => {
      const left = begun.filter(({ name, sequence }) => name !== bundle.name || sequence > bundle.sequence);
      if (left.length < begun.length) await write(left);
    },
  };
}

function openAccepted(path: string, readOnly: boolean): { accepted: Map<string, Accepted>; log?: AppendLog } {
  const { lines, log } = readOnly ? { lines: readLog(path) } : openLog(path);
  const accepted = new Map<string, Accepted>();
  for (const [index, line] of lines.entries()) {
    const entry = Accepted.safeParse(line);
    if (!entry.success) throw damaged(`${path}:${index + 1}`, path, 'an accepted bundle');
    accepted.set(entry.data.name, entry.data);
  }
  return log === undefined ? { accepted } : { accepted, log };
}

function readUnderway(path: string): readonly Underway[] {
  try {
    return Underway.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (error instanceof SyntaxError || error instanceof z.ZodError) throw damaged(path, path, 'the bundles under way');
    throw error;
  }
}

/** What killed runs left half written. */
function sweep(directory: string): void {
  for (const name of readdirSync(directory)) if (name.startsWith(TEMPORARY_PREFIX)) rmSync(join(directory, name));
}

function writable(log: AppendLog | undefined, directory: string): AppendLog {
  if (log === undefined) throw new DrayError('internal', `the state in ${directory}: opened for reading only`);
  return log;
}

function damaged(subject: string, file: string, expected: string): DrayError {
  return new DrayError('state-damaged', `${subject}: expected ${expected}, found something else`, { where: { file } });
}
