import { normaliseProject } from '../../oci/wheel-name.ts';
import { parseSpecifiers } from './specifier.ts';

/**
 * What a marker may ask about (packaging.python.org, dependency-specifiers, "Environment Markers"; pylock-toml for the last
 * two, which are sets).
 */
export interface MarkerEnvironment {
  readonly values: Readonly<Record<string, string>>;
  readonly extras?: readonly string[];
  readonly dependencyGroups?: readonly string[];
}

/** Does it hold there? `extra`, where nobody asks for one, is empty. */
export type Marker = (environment: MarkerEnvironment) => boolean;

/** Longer ones are nobody's. */
const LONGEST = 20_000;
const DEEPEST = 50;

const NAMES: ReadonlySet<string> = new Set([
  ...['os_name', 'sys_platform', 'platform_machine', 'platform_python_implementation', 'platform_release'],
  ...['platform_system', 'platform_version', 'python_version', 'python_full_version', 'implementation_name'],
  ...['implementation_version', 'extra', 'extras', 'dependency_groups'],
]);
/** Before PEP 508 they were called so. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  ...{ 'os.name': 'os_name', 'sys.platform': 'sys_platform', 'platform.version': 'platform_version' },
  ...{ 'platform.machine': 'platform_machine', 'platform.python_implementation': 'platform_python_implementation' },
  python_implementation: 'platform_python_implementation',
};
const VERSIONS: ReadonlySet<string> = new Set([
  ...['implementation_version', 'platform_release', 'python_full_version', 'python_version'],
]);
const TOKEN = /\s*(?:("[^"]*"|'[^']*')|(===|~=|<=|>=|==|!=|<|>)|([A-Za-z_][A-Za-z0-9_.]*)|([()]))/y;

interface Token {
  readonly type: 'string' | 'operator' | 'word' | 'bracket';
  readonly text: string;
}
type Operand = { readonly variable: string } | { readonly literal: string };

/** Undefined for what is no marker. */
export function parseMarker(text: string): Marker | undefined {
  const tokens = text.length > LONGEST ? undefined : tokensOf(text);
  if (tokens === undefined) return undefined;
  const reading: Reading = { tokens, at: 0, depth: 0 };
  const marker = readOr(reading);
  return reading.at === tokens.length ? marker : undefined;
}

interface Reading {
  readonly tokens: readonly Token[];
  at: number;
  depth: number;
}

function readOr(reading: Reading): Marker | undefined {
  return readJoined(reading, 'or', readAnd, (parts) => (there) => parts.some((part) => part(there)));
}

function readAnd(reading: Reading): Marker | undefined {
  return readJoined(reading, 'and', readAtom, (parts) => (there) => parts.every((part) => part(there)));
}

function readJoined(
  reading: Reading,
  word: string,
  read: (reading: Reading) => Marker | undefined,
  join: (parts: readonly Marker[]) => Marker,
): Marker | undefined {
  const parts: Marker[] = [];
  do {
    const part = read(reading);
    if (part === undefined) return undefined;
    parts.push(part);
  } while (take(reading, word));
  return join(parts);
}

function readAtom(reading: Reading): Marker | undefined {
  if (!take(reading, '(')) return readComparison(reading);
  if (++reading.depth > DEEPEST) return undefined;
  const inner = readOr(reading);
  reading.depth--;
  return take(reading, ')') ? inner : undefined;
}

function readComparison(reading: Reading): Marker | undefined {
  const left = readOperand(reading);
  const operator = readOperator(reading);
  const right = readOperand(reading);
  if (left === undefined || operator === undefined || right === undefined) return undefined;
  return (there) => compare(left, operator, right, there);
}

function readOperand(reading: Reading): Operand | undefined {
  const token = reading.tokens[reading.at++];
  if (token?.type === 'string') return { literal: token.text.slice(1, -1) };
  const name = token?.type === 'word' ? (OLD_NAMES[token.text] ?? token.text) : '';
  return NAMES.has(name) ? { variable: name } : undefined;
}

function readOperator(reading: Reading): string | undefined {
  if (take(reading, 'not')) return take(reading, 'in') ? 'not in' : undefined;
  if (take(reading, 'in')) return 'in';
  const token = reading.tokens[reading.at++];
  return token?.type === 'operator' ? token.text : undefined;
}

function take(reading: Reading, text: string): boolean {
  const token = reading.tokens[reading.at];
  if (token === undefined || token.type === 'string' || token.text !== text) return false;
  reading.at++;
  return true;
}

function tokensOf(text: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  const trimmed = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const found = TOKEN.exec(trimmed);
    if (found === null) return undefined;
    const [, string, operator, word, bracket] = found;
    if (string !== undefined) tokens.push({ type: 'string', text: string });
    else if (operator !== undefined) tokens.push({ type: 'operator', text: operator });
    else if (word !== undefined) tokens.push({ type: 'word', text: word });
    else tokens.push({ type: 'bracket', text: bracket ?? '' });
  }
  return tokens;
}

/** As `packaging.markers` does: versions are compared as versions where the variable is one, everything else as text. */
function compare(left: Operand, operator: string, right: Operand, there: MarkerEnvironment): boolean {
  const key = 'variable' in left ? left.variable : 'variable' in right ? right.variable : '';
  if (key === 'extras' || key === 'dependency_groups') return isMember(left, operator, key, there);
  const [one, other] = [valueOf(left, key, there), valueOf(right, key, there)];
  const specifiers = VERSIONS.has(key) ? parseSpecifiers(`${operator}${other}`) : undefined;
  if (specifiers !== undefined && /^\S+$/.test(other)) return specifiers.contains(one);
  if (operator === 'in') return other.includes(one);
  if (operator === 'not in') return !other.includes(one);
  if (operator === '!=') return one !== other;
  return ['==', '===', '<=', '>='].includes(operator) && one === other;
}

function isMember(left: Operand, operator: string, key: string, there: MarkerEnvironment): boolean {
  const set = (key === 'extras' ? there.extras : there.dependencyGroups) ?? [];
  const has = 'literal' in left && set.map(normaliseProject).includes(normaliseProject(left.literal));
  return operator === 'in' ? has : operator === 'not in' && !has;
}

function valueOf(operand: Operand, key: string, { values }: MarkerEnvironment): string {
  const value = 'literal' in operand ? operand.literal : (values[operand.variable] ?? '');
  return key === 'extra' ? normaliseProject(value) : value;
}
