import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { DrayError } from '../../errors.ts';
import { temporaryBeside } from './atomic-write.ts';
import { onFile } from './file-error.ts';

/** Who holds a lock. A process is told from a later one with its number by its start, a boot from the next by its id. */
interface Holder {
  readonly pid: number;
  /** Empty where the system does not say. */
  readonly boot: string;
  /** In clock ticks since boot (proc(5), `/proc/PID/stat`, field 22); empty where the system does not say. */
  readonly start: string;
  /** Tells two locks of one process apart. */
  readonly token: string;
}

/** No clock decides: time is wrong in enclaves, and a load may take days. */
const ATTEMPTS = 5;
const ENDING_MS = 1000;
const POLL_MS = 50;

/**
 * Takes a lock that one process at a time can hold; answers what gives it back. A lock whose process is gone, or that
 * was left before a reboot, is taken over; where the system tells neither (no `/proc`), it is held until it is removed.
 * @param what the subject of the message: what the lock guards
 * @throws `locked`
 */
export async function acquireLock(path: string, what: string, pid: number): Promise<() => Promise<void>> {
  const mine: Holder = { pid, boot: bootId(), start: startOf(pid) ?? '', token: randomBytes(8).toString('hex') };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(path, mine)) return async () => release(path, mine);
    const found = readHolder(path);
    if (found === undefined) continue;
    if (found === 'unreadable' || !(await hasEnded(found))) throw held(path, what, found);
    takeAway(path, found);
  }
  throw held(path, what, 'unreadable');
}

/** Looks without taking it. @throws `locked`, as `acquireLock` would */
export function refuseHeld(path: string, what: string): void {
  const found = readHolder(path);
  if (found === 'unreadable' || (found !== undefined && isAlive(found))) throw held(path, what, found);
}

/** Whole or not there, never seen empty: written beside, then linked, which fails where the name is taken. */
function create(path: string, holder: Holder): boolean {
  const temporary = temporaryBeside(path);
  writeNew(temporary, JSON.stringify(holder));
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENOENT: whoever holds the lock swept the temporary file away.
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    // FAT, exFAT and some network file systems have no links.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') return createInPlace(path, holder);
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function createInPlace(path: string, holder: Holder): boolean {
  try {
    writeNew(path, JSON.stringify(holder));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function writeNew(path: string, text: string): void {
  const fd = openSync(path, 'wx', 0o644);
  try {
    writeSync(fd, text);
  } catch (error) {
    rmSync(path, { force: true });
    throw onFile(path, error);
  } finally {
    closeSync(fd);
  }
}

/** Two that find the same stale lock must not both win: renamed away, and given back where it is another by now. */
function takeAway(path: string, stale: Holder): void {
  const aside = temporaryBeside(path);
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const taken = readHolder(aside);
  if (taken === undefined || taken === 'unreadable' || taken.token === stale.token) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

async function release(path: string, mine: Holder): Promise<void> {
  await Promise.resolve();
  const found = readHolder(path);
  if (typeof found === 'object' && found.token === mine.token) rmSync(path, { force: true });
}

function readHolder(path: string): Holder | 'unreadable' | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { pid, boot, start, token } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (Number.isSafeInteger(pid) && [boot, start, token].every((value) => typeof value === 'string'))
      return { pid, boot, start, token } as Holder;
  } catch {
    // Falls through: a lock that nobody can read is held, and the message names it.
  }
  return 'unreadable';
}

/** A process that was killed a moment ago may still be ending its writes: it is given a second. */
async function hasEnded(holder: Holder): Promise<boolean> {
  for (let waited = 0; waited < ENDING_MS; waited += POLL_MS) {
    if (!isAlive(holder)) return true;
    await setTimeout(POLL_MS);
  }
  return !isAlive(holder);
}

function isAlive({ pid, boot, start }: Holder): boolean {
  const now = bootId();
  if (now === '' || boot === '' || start === '') return true;
  if (boot !== now) return false;
  const found = startOf(pid);
  // Where not even the first process is to be seen, /proc hides those of other users (hidepid), and absence says nothing.
  return found === undefined ? startOf(1) === undefined : found === start;
}

function bootId(): string {
  return readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

/** The name of a program stands in parentheses and may hold anything, so fields are counted from the last one. */
/** Undefined for one that is gone, or that has ended and is only waiting for its parent to hear of it (Z, X). */
function startOf(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function held(path: string, what: string, holder: Holder | 'unreadable'): DrayError {
  const by = holder === 'unreadable' ? 'another dray' : `another dray, process ${holder.pid}`;
  return new DrayError('locked', `${what}: held by ${by}`, {
    hint: `wait for it to end; if no dray runs here, remove ${path}`,
    where: { file: path },
  });
}
