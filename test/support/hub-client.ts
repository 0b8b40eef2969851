import { spawnSync } from 'node:child_process';
import { must, run } from './cli.ts';
import type { Ended } from './cli.ts';
import { missing, program } from './programs.ts';

/** Why tests with the real client are skipped; empty where it is installed. */
export const noHubClient =
  missing('python3') ||
  (spawnSync(program('python3') ?? '', ['-c', 'import huggingface_hub']).status === 0
    ? ''
    : ' (huggingface_hub not installed)');

export interface ClientSetting {
  /** `HF_HOME`: its cache, and nothing of this machine's. */
  readonly home: string;
  /** A Hub; without one the client is offline. */
  readonly endpoint?: string;
  /** `HF_HUB_CACHE` */
  readonly cache?: string;
  readonly token?: string;
}

/** Runs Python that has `huggingface_hub` imported as `hub`, and prints one JSON document: what that is. */
export async function withHubClient(setting: ClientSetting, script: string): Promise<unknown> {
  return JSON.parse(await must('python3', ['-c', `${PROLOGUE}${script}`], { env: environmentOf(setting) })) as unknown;
}

/** The same for what may fail. */
export function tryHubClient(setting: ClientSetting, script: string): Promise<Ended> {
  return run('python3', ['-c', `${PROLOGUE}${script}`], { env: environmentOf(setting) });
}

const PROLOGUE = 'import json, os\nimport huggingface_hub as hub\n';

function environmentOf({ home, endpoint, cache, token }: ClientSetting): Readonly<Record<string, string>> {
  return {
    HF_HOME: home,
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    // Xet is another protocol, which is not played.
    HF_HUB_DISABLE_XET: '1',
    HF_TOKEN: token ?? '',
    ...(cache === undefined ? {} : { HF_HUB_CACHE: cache }),
    ...(endpoint === undefined ? { HF_HUB_OFFLINE: '1' } : { HF_ENDPOINT: endpoint, NO_PROXY: '127.0.0.1' }),
  };
}
