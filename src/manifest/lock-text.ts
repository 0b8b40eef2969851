import { parseYaml, stringifyYaml } from '../io/yaml/yaml.ts';
import { parseBlock } from './lock-block.ts';
import { formatLine } from './lock-lines.ts';
import { Lock } from './lock.ts';

/** A lock of this size names some 300,000 files. In bytes. */
export const LOCK_LIMIT = 64 * 1024 * 1024;

const HEADER = `# Written by \`dray lock\` from the manifest beside it: what each entry came to, pinned. Sizes are in bytes.
# Made to be reviewed and kept in version control, not to be edited: run \`dray lock\` again instead.

`;

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
  const lines = blobs.map((blob) => `\n      - ${formatLine(blob)}`);
  return `${item}    blobs:${lines.length === 0 ? ' []' : lines.join('')}\n`;
}

/** A lock just as `formatLock` writes it, fast. Undefined for any other text: YAML has the last word, and the better errors. */
function parseWritten(text: string): Lock | undefined {
  return text.length > LOCK_LIMIT ? undefined : Lock.safeParse(parseBlock(text)).data;
}
