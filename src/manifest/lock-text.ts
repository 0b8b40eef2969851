import { DrayError } from '../errors.ts';
import { parseYaml, stringifyYaml } from '../io/yaml/yaml.ts';
import { formatLine, parseLine } from './lock-lines.ts';
import type { Flat } from './lock-lines.ts';
import { Lock } from './lock.ts';

/** A lock of this size names some 300,000 files. In bytes. */
export const LOCK_LIMIT = 64 * 1024 * 1024;

const HEADER = `# Written by \`dray lock\` from the manifest beside it: what each entry came to, pinned. Sizes are in bytes.
# Made to be reviewed and kept in version control, not to be edited: run \`dray lock\` again instead.

`;

const LIST = '    blobs:';
const EMPTY = `${LIST} []`;
const ITEM = '      - ';

/**
 * The text of `dray.lock`. The same lock always gives the same text: keys in the order of the schema, lists in the order
 * given, one line for each blob, so that a review shows just what changed.
 */
export function formatLock(lock: Lock): string {
  const { artifacts, ...head } = Lock.parse(lock);
  const top = HEADER + stringifyYaml(head, { oneLine: ['groups'] });
  return artifacts.length === 0
    ? `${top}artifacts: []\n`
    : `${top}artifacts:\n${artifacts.map(formatArtifact).join('')}`;
}

/** @throws `lock-invalid` with line and column */
export function parseLock(text: string, file: string): Lock {
  return (
    parseWritten(text) ??
    parseYaml(text, { file, schema: Lock, code: 'lock-invalid', limit: LOCK_LIMIT, scalars: 'typed' })
  );
}

function formatArtifact({ blobs, ...head }: Lock['artifacts'][number]): string {
  const item = stringifyYaml([head], { oneLine: ['materials', 'parts'] }).replace(/^(?=.)/gm, '  ');
  const lines = blobs.map((blob) => `${ITEM}${formatLine(blob)}\n`);
  return `${item}${lines.length === 0 ? EMPTY : LIST}\n${lines.join('')}`;
}

/** A lock just as `formatLock` writes it, fast. Undefined for any other text: YAML has the last word, and the better errors. */
function parseWritten(text: string): Lock | undefined {
  // In a block scalar, lines would not be what they look like.
  if (text.length > LOCK_LIMIT || /[|>][-+0-9]*[ \t]*$/m.test(text)) return undefined;
  const lines = text.split('\n');
  const rest: string[] = [];
  const lists: Flat[][] = [];
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] ?? '';
    const isItem = line.startsWith(ITEM) && rest.at(-1) === EMPTY && lines[i - 1] !== EMPTY;
    if (line === EMPTY || line === LIST) lists.push([]);
    if (line === LIST && !(lines[i + 1] ?? '').startsWith(ITEM)) return undefined;
    if (!isItem) {
      rest.push(line === LIST ? EMPTY : line);
      continue;
    }
    const item = parseLine(line.slice(ITEM.length));
    if (item === undefined) return undefined;
    lists.at(-1)?.push(item);
  }
  return withBlobs(rest.join('\n'), lists);
}

function withBlobs(text: string, lists: readonly (readonly Flat[])[]): Lock | undefined {
  try {
    const lock = parseYaml(text, { file: '', schema: Lock, code: 'lock-invalid', limit: LOCK_LIMIT, scalars: 'typed' });
    const { artifacts } = lock;
    if (artifacts.length !== lists.length || artifacts.some(({ blobs }) => blobs.length > 0)) return undefined;
    return Lock.safeParse({ ...lock, artifacts: artifacts.map((artifact, i) => ({ ...artifact, blobs: lists[i] })) })
      .data;
  } catch (error) {
    if (error instanceof DrayError) return undefined;
    throw error;
  }
}
