import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { random } from '../support/random.ts';

/** One verb, broken off or made to fail at each of its calls that change a file (faults.mjs), and then run again. */
export interface Scene {
  readonly name: string;
  /** Lays out what the verb needs, in the directory it will run in. */
  readonly prepare: (work: string) => Promise<void>;
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Looks at what a fault left, beyond that every file under its name is whole. */
  readonly look?: (left: Left) => void;
  /** Of the run that finishes. */
  readonly finished?: (document: Document, left: Left) => void;
  /** Before each case. */
  readonly reset?: () => void;
}

export interface Left {
  readonly work: string;
  /** Files by path below the work directory, and what they are: size and digest. */
  readonly before: Tree;
  readonly found: Tree;
  /** After a run that nothing disturbed. */
  readonly after: Tree;
}

export type Tree = ReadonlyMap<string, string>;

export interface Document {
  readonly exit: number;
  readonly error: null | {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly where: object;
  };
  readonly [key: string]: unknown;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly document: Document | undefined;
  readonly said: string;
}

export const DRAY = resolve(import.meta.dirname, '../../dist/cli/main.js');
export const KILLS = ['kill-before', 'kill-half', 'kill-after'] as const;
export const ERRORS = ['ENOSPC', 'ENOSPC+', 'EIO', 'EROFS', 'EACCES'] as const;
const HOOK = resolve(import.meta.dirname, 'faults.mjs');

export function run(scene: Pick<Scene, 'words' | 'env'>, work: string, fault?: string, trace?: string): Promise<Ended> {
  const env = {
    ...{ PATH: process.env['PATH'], HOME: work, DRAY_FAULT_ROOT: work, ...scene.env },
    ...(fault === undefined ? {} : { DRAY_FAULT: fault }),
    ...(trace === undefined ? {} : { DRAY_FAULT_TRACE: trace }),
  };
  return start(process.execPath, ['--import', HOOK, DRAY, ...scene.words, '--json', '--progress', 'none'], {
    cwd: work,
    env,
  });
}

function start(
  program: string,
  words: readonly string[],
  setting: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<Ended> {
  return new Promise((settle) => {
    const child = spawn(program, words, { ...setting, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, said] = ['', ''];
    child.stdout.on('data', (block: Buffer) => (out += block.toString()));
    child.stderr.on('data', (block: Buffer) => (said += block.toString()));
    child.on('close', (status, signal) =>
      settle({ status, signal, said, document: out.startsWith('{') ? (JSON.parse(out) as Document) : undefined }),
    );
  });
}

/** A scene prepared once; each case begins from a copy of it at the same place. */
export class Sweep {
  readonly scene: Scene;
  /** How many calls an undisturbed run makes. */
  calls: readonly string[] = [];
  readonly #home = mkdtempSync(join(tmpdir(), 'dray-'));
  readonly #work = join(this.#home, 'work');
  readonly #base = join(this.#home, 'base');
  #before: Tree = new Map();
  #after: Tree = new Map();

  constructor(scene: Scene) {
    this.scene = scene;
  }

  async prepare(): Promise<void> {
    mkdirSync(this.#work);
    await this.scene.prepare(this.#work);
    cpSync(this.#work, this.#base, { recursive: true, preserveTimestamps: true });
    this.#begin();
    const trace = join(this.#home, 'trace');
    const ended = await run(this.scene, this.#work, 'count:0', trace);
    if (ended.status !== 0) throw new Error(`${this.scene.name}: ended with ${ended.status ?? ''}\n${ended.said}`);
    this.calls = readFileSync(trace, 'utf8').trimEnd().split('\n');
    this.#before = treeOf(this.#base);
    this.#after = treeOf(this.#work);
    const problems = litter(this.#after);
    if (problems.length > 0) throw new Error(`${this.scene.name}: leaves ${problems.join(', ')}`);
  }

  /** The call that a fault is at, for messages. */
  callOf(fault: string): string {
    return `${fault} (${this.calls[Number(fault.split(':')[1]) - 1] ?? ''})`;
  }

  /** The calls of another undisturbed run that change a file, as strace(1) sees them: those that name one. */
  async trace(strace: string): Promise<readonly string[]> {
    this.#begin();
    const file = join(this.#home, 'strace');
    const calls = 'trace=openat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,truncate';
    const ended = await start(
      strace,
      ['-f', '-qq', '-e', calls, '-s', '4096', '-o', file, process.execPath, DRAY, ...this.scene.words],
      {
        cwd: this.#work,
        env: { PATH: process.env['PATH'], HOME: this.#work, ...this.scene.env },
      },
    );
    if (ended.status !== 0) throw new Error(ended.said);
    return tracedCalls(readFileSync(file, 'utf8'), this.#work);
  }

  remove(): void {
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** Answers what was wrong, a line each. */
  async judge(fault: string, more: readonly string[] = []): Promise<readonly string[]> {
    this.#begin();
    const wrong: string[] = [];
    let finished = false;
    for (const each of [fault, ...more]) {
      // A verb that has answered is not called again: it may begin something new.
      if (finished) break;
      const broken = await run(this.scene, this.#work, each);
      wrong.push(...wrongEnd(broken, each, this.#work).map((line) => `${each}: ${line}`));
      const left = this.#left();
      if (broken.signal === null) wrong.push(...temporaries(left.found).map((path) => `${each}: left ${path}`));
      wrong.push(
        ...halfVisible(left).map((line) => `${each}: left ${line}`),
        ...attempt(() => this.scene.look?.(left)),
      );
      // Killed when it had answered, and had nothing left to do.
      finished = broken.status === 0 || (broken.document?.exit === 0 && litter(left.found).length === 0);
    }
    if (finished) return [...wrong, ...differences(this.#left())];
    const again = await run(this.scene, this.#work);
    if (again.status !== 0) return [...wrong, `again: ended with ${again.status ?? again.signal ?? ''}: ${again.said}`];
    const left = this.#left();
    wrong.push(...litter(left.found).map((path) => `again: left ${path}`), ...differences(left));
    wrong.push(...attempt(() => this.scene.finished?.(again.document as Document, left)));
    return wrong;
  }

  #left(): Left {
    return { work: this.#work, before: this.#before, found: treeOf(this.#work), after: this.#after };
  }

  #begin(): void {
    rmSync(this.#work, { recursive: true, force: true });
    cpSync(this.#base, this.#work, { recursive: true, preserveTimestamps: true });
    this.scene.reset?.();
  }
}

function attempt(look: () => void): readonly string[] {
  try {
    look();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** A kill leaves no answer; a failure is told with the status that the catalogue has, and says where. */
function wrongEnd({ status, signal, document, said }: Ended, fault: string, work: string): readonly string[] {
  if (status === 0) return [];
  if (fault.startsWith('kill')) return signal === 'SIGKILL' ? [] : [`ended with ${status ?? signal ?? ''}: ${said}`];
  if (fault.startsWith('SIG')) {
    const expected = fault.startsWith('SIGINT') ? 130 : 143;
    return status === expected && document?.exit === expected ? [] : [`ended with ${status ?? signal ?? ''}: ${said}`];
  }
  const [code, expected] = fault.startsWith('ENOSPC') ? ['no-room', 15] : ['io-failed', 1];
  const { error } = document ?? {};
  if (error === undefined || error === null) return [`ended with ${status ?? signal ?? ''} and no document: ${said}`];
  return [
    ...(status === expected && error.code === code
      ? []
      : [`ended with ${status ?? ''} ${error.code}: ${error.message}`]),
    ...(error.message.includes(work) ? [] : [`names no path: ${error.message}`]),
  ];
}

/** What is whole or not there at any moment: everything but what is known to be under way. */
const UNDER_WAY =
  /(?:^|\/)(?:\.dray-tmp-[^/]*|\.dray-staging(?:\/.*)?|partial\/.*|lock|local\.jsonl|state\/.*|packing\/.*|index\.json)$/;

function halfVisible({ before, found, after }: Left): readonly string[] {
  return [...found].flatMap(([path, content]) =>
    UNDER_WAY.test(path) || content === before.get(path) || content === after.get(path)
      ? []
      : [`${path}, which is neither what was there nor what comes`],
  );
}

/** What a verb that failed must have taken away. */
function temporaries(found: Tree): readonly string[] {
  return [...found.keys()].filter((path) => /(?:^|\/)(?:\.dray-tmp-[^/]*|lock)$/.test(path));
}

/** What must not be there when a verb is done. */
function litter(found: Tree): readonly string[] {
  return [...found.keys()].filter((path) =>
    /(?:^|\/)(?:\.dray-tmp-[^/]*|\.dray-staging(?:\/.*)?|partial\/.+|packing\/.+|lock)$/.test(path),
  );
}

/** Records with inodes and times, which differ from run to run. */
const TIMED = /(?:^|\/)(?:local\.jsonl|state\/.*\.jsonl)$/;

function differences({ found, after }: Left): readonly string[] {
  return [...new Set([...found.keys(), ...after.keys()])].flatMap((path) =>
    found.get(path) === after.get(path) || (TIMED.test(path) && found.has(path) && after.has(path))
      ? []
      : [`again: ${path} is ${found.get(path) ?? 'not there'}, expected ${after.get(path) ?? 'none'}`],
  );
}

function treeOf(directory: string): Tree {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(directory.length + 1), describe(path)];
    }),
  );
}

function describe(path: string): string {
  const stats = lstatSync(path);
  if (!stats.isFile()) return stats.isDirectory() ? 'a directory' : 'something else';
  return `${stats.size} bytes, ${createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16)}`;
}

/** All faults of a sweep, or so many of them, chosen by a seed. */
export function chosen(sweep: Sweep, modes: readonly string[], count: number, seed: number): readonly string[] {
  const all = sweep.calls.flatMap((call, at) =>
    modes.filter((mode) => isPossible(mode, call)).map((mode) => `${mode}:${at + 1}`),
  );
  if (count >= all.length) return all;
  const next = random(seed);
  return Array.from({ length: count }, () => all.splice(Math.floor(next() * all.length), 1)[0] ?? '');
}

/** Successful calls as faults.mjs names them, with paths below the directory. */
function tracedCalls(text: string, work: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, call = '', rest = ''] = /^\d+ +([a-z0-9]+)\((.*)\) += [0-9]/.exec(line) ?? [];
    const path = [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)].at(-1)?.[1] ?? '';
    if (!path.startsWith(`${work}/`) || (call === 'openat' && !/O_WRONLY|O_RDWR|O_CREAT/.test(rest))) return [];
    const name =
      call === 'openat'
        ? 'open'
        : call === 'unlinkat' && rest.includes('AT_REMOVEDIR')
          ? 'rmdir'
          : call.replace(/at2?$/, '');
    return [`${name} ${path.slice(work.length + 1)}`];
  });
}

/** A file that is open already is neither forbidden nor read-only, and only what is written can be written by half. */
function isPossible(mode: string, call: string): boolean {
  if (mode === 'kill-half') return call.startsWith('write');
  if (mode.startsWith('ENOSPC')) return !/^(?:unlink|rmdir|chmod) /.test(call);
  // What cannot be removed stays.
  if (
    mode.startsWith('E') &&
    /^(?:unlink|rmdir) .*(?:\/lock|\.dray-tmp-[^/]*|\.dray-staging|\/packing\/[^/]*)$/.test(call)
  )
    return false;
  if (mode === 'EROFS' || mode === 'EACCES') return !/^(?:write|fsync|fdatasync|ftruncate) /.test(call);
  return true;
}

export const isBuilt = existsSync(DRAY);
