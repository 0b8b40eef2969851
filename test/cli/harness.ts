import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
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
  return { status, out, err, json: () => JSON.parse(out) as Envelope };
}

/** A directory of its own for a test file, removed afterwards. */
export function workDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
