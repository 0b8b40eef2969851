import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, expect } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { RESULT_KEYS } from '../../src/cli/reference.ts';
import { main } from '../../src/cli/run.ts';

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  /** The one document of `--json`. */
  readonly json: () => Envelope;
}

export interface Envelope {
  readonly dray: number;
  readonly verb: string | null;
  readonly exit: number;
  readonly error: null | {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly where: Readonly<Record<string, unknown>>;
  };
  readonly [key: string]: unknown;
}

export interface Setting {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  /** What is typed. */
  readonly typed?: string;
  /** Ctrl-D after what was typed. */
  readonly ends?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs dray in this process, in a world of its own: no terminal, no environment, no site file of the machine. */
export async function dray(argv: readonly string[], setting: Setting = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const terminal = setting.terminal === true;
  const stdin = Object.assign(new PassThrough(), { isTTY: terminal });
  if (setting.typed !== undefined) stdin.write(setting.typed);
  if (setting.ends === true) stdin.end();
  const cwd = setting.cwd ?? tmpdir();
  const io: Io = {
    stdout: { write: (text) => (out += text), isTTY: terminal, columns: 80 },
    stderr: { write: (text) => (err += text), isTTY: terminal, columns: 80 },
    stdin,
    env: setting.env ?? {},
    cwd,
    home: join(cwd, 'home'),
    systemSite: join(cwd, 'no-such-site.yaml'),
    pid: process.pid,
    signal: setting.signal ?? new AbortController().signal,
    now: () => new Date(),
  };
  const status = await main(argv, io);
  return { status, out, err, json: () => documented(JSON.parse(out) as Envelope) };
}

const OF_EVERY_VERB = ['dray', 'verb', 'exit', 'error', 'help', 'version'];
const KEYS = new Set(
  RESULT_KEYS.flatMap(([keys, verbs]) =>
    verbs.split(', ').flatMap((verb) => keys.split(', ').map((key) => `${verb} ${key.replaceAll('`', '')}`)),
  ),
);

/** Every document that any test looks at has only keys that docs/cli.md lists for its verb. */
function documented(document: Envelope): Envelope {
  const unknown = Object.entries(document)
    .filter(([key]) => !OF_EVERY_VERB.includes(key))
    .map(([key, value]) => `${document.verb} ${key}${Array.isArray(value) ? '[]' : ''}`)
    .filter((key) => !KEYS.has(key));
  expect(unknown, 'keys that docs/cli.md does not list (RESULT_KEYS in src/cli/reference.ts)').toEqual([]);
  return document;
}

/** A directory of its own for a test file, removed afterwards. */
export function workDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
