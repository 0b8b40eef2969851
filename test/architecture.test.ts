import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

/** Which rooms a room may import, besides itself, `errors.ts` and `context.ts`; docs/architecture.md shows the same table. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  oci: [],
  io: [],
  store: ['oci', 'io'],
  manifest: ['oci', 'io'],
  signing: ['oci', 'io'],
  registry: ['oci', 'io', 'store'],
  s3: ['oci', 'io', 'store'],
  sources: ['oci', 'io', 'store', 'registry', 'manifest'],
  bundle: ['oci', 'io', 'store', 'signing'],
  checks: ['oci', 'io', 'bundle'],
  site: ['oci', 'io', 'signing', 's3'],
  targets: ['oci', 'io', 'store', 'registry', 's3', 'bundle', 'site'],
  actions: ['oci', 'io', 'store', 'manifest', 'signing', 'registry', 'sources', 'bundle', 'checks', 'site', 'targets'],
  cli: ['actions'],
};

/** Of these rooms, others see only these files. */
const LENT: readonly { readonly to: readonly string[]; readonly room: string; readonly files: RegExp }[] = [
  {
    to: ['registry', 's3', 'sources', 'bundle', 'targets', 'actions'],
    room: 'store',
    files: /^(blob-store|verified|graph|copy-graph|reporting|taking-turns)\.ts$/,
  },
  { to: ['bundle'], room: 'signing', files: /^signing\.ts$/ },
  { to: ['sources'], room: 'registry', files: /^(network|repository|services)\.ts$/ },
  { to: ['site'], room: 's3', files: /^address\.ts$/ },
  { to: ['targets'], room: 'bundle', files: /^(bundle-index|graph)\.ts$/ },
];

/** `open.ts` picks implementations; the rest of `cli` may turn words into values with these. */
const OPENERS = /^src\/cli\/(open|enclave|generate)\.ts$/;
const PURE =
  /^(oci\/|io\/|bundle\/(media-profile|names|finding|bundle-index)\.ts|site\/|manifest\/template\.ts|signing\/)/;

const PACKAGES: Readonly<Record<string, string>> = {
  yaml: 'io',
  'tar-stream': 'io',
  'zstd-napi': 'io',
  fzstd: 'io',
  'hash-wasm': 'io',
  'smol-toml': 'io',
  yauzl: 'io',
  undici: 'io',
  picomatch: 'io',
  'fs-extra': 'io',
  commander: 'cli',
  '@aws-sdk/core': 's3',
  '@aws-sdk/credential-provider-node': 's3',
  '@smithy/core': 's3',
  '@smithy/signature-v4': 's3',
  '@sigstore/sign': 'signing',
  '@sigstore/verify': 'signing',
  '@sigstore/bundle': 'signing',
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name}`);

const imports: readonly Import[] = files.flatMap((from) => {
  const text = readFileSync(join(ROOT, from), 'utf8');
  const found = text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'|import\('([^']+)'\)/gm);
  return [...found].map(([, type, stated, dynamic]) => ({
    from,
    to: stated ?? dynamic ?? '',
    typeOnly: type !== undefined,
  }));
});

function roomOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function offence({ from, to, typeOnly }: Import): string | undefined {
  const room = roomOf(from);
  if (!to.startsWith('.') || !(room in TABLE)) return undefined;
  const target = relative(SRC, resolve(ROOT, dirname(from), to));
  const [targetRoom = '', ...rest] = target.split('/');
  if (targetRoom === room || rest.length === 0) return undefined;
  if (room === 'cli')
    return targetRoom === 'actions' || OPENERS.test(from) || PURE.test(target) || typeOnly
      ? undefined
      : `${from} imports ${target}`;
  if (!(TABLE[room] ?? []).includes(targetRoom)) return `${from} imports ${target}`;
  const lent = LENT.find((rule) => rule.room === targetRoom && rule.to.includes(room));
  return lent === undefined || lent.files.test(rest.join('/'))
    ? undefined
    : `${from} imports ${target}, which ${targetRoom} does not lend`;
}

describe('the house', () => {
  it('has imports in one direction only', () => {
    expect(imports.map(offence).filter((found) => found !== undefined)).toEqual([]);
  });

  it('has no room that the table does not know, and no cycle in the table', () => {
    expect([...new Set(files.map(roomOf).filter((room) => !room.endsWith('.ts')))].sort()).toEqual(
      Object.keys(TABLE).sort(),
    );
    const reaches = (room: string, seen: readonly string[]): boolean =>
      (TABLE[room] ?? []).some((next) => seen.includes(next) || reaches(next, [...seen, next]));
    expect(Object.keys(TABLE).filter((room) => reaches(room, [room]))).toEqual([]);
  });

  it('shows the same table in docs/architecture.md', () => {
    const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
    const [, section = ''] = page.split('## Who may import whom');
    const rows = [...section.matchAll(/^\| `(\w+)` \|([^|\n]*)\|$/gm)].map(([, room = '', may = '']) => [
      room,
      [...may.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    ]);
    expect(Object.fromEntries(rows)).toEqual(TABLE);
  });

  it('imports each third-party package in one room', () => {
    const wrong = imports
      .filter(({ to }) => !to.startsWith('.') && !to.startsWith('node:') && to !== 'zod')
      .filter(
        ({ from, to }) =>
          PACKAGES[to.startsWith('@') ? to.split('/').slice(0, 2).join('/') : (to.split('/')[0] ?? '')] !==
          roomOf(from),
      );
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it('touches the process and the console only in cli', () => {
    const wrong = files.filter(
      (file) =>
        !file.startsWith('src/cli/') &&
        /(^|[^.\w])(process\.|console\.)/m.test(
          readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
        ),
    );
    expect(wrong).toEqual([]);
  });
});
