import { isMap, isScalar, isSeq } from 'yaml';
import type { Node } from 'yaml';
import type * as z from 'zod';
import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { formatPlace } from '../place.ts';
import type { Place } from '../place.ts';
import { printable } from '../safe-path.ts';
import type { Path, Positions } from './yaml.ts';

/** What a schema found wrong, in words: where it was written, what was expected there and what was found. */
export interface Problem {
  readonly place: Place;
  readonly message: string;
}

/** The text that was checked: its nodes by path, and where they stand. */
export interface Written extends Positions {
  readonly nodeAt: (path: Path) => Node | undefined;
}

type Issue = z.core.$ZodIssue;
type UnionIssue = Extract<Issue, { code: 'invalid_union' }>;

/** No message grows longer than a screen. */
const MOST_PROBLEMS = 10;

/** All problems in order of place, each once; of a union those of the branch that the value was meant for. */
export function problemsOf(issues: readonly Issue[], written: Written): Problem[] {
  const told = issues.flatMap((issue) => tell(issue, [], written));
  const distinct = new Map(told.map((problem) => [`${formatPlace(problem.place)} ${problem.message}`, problem]));
  return [...distinct.values()].sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

/** @throws the code, with every problem in its message and the first one's place in `where` */
export function refuse(problems: readonly Problem[], code: ErrorCode): never {
  const [first] = problems;
  if (first === undefined) throw new DrayError('internal', 'a schema failed without an issue');
  const lines = problems.slice(0, MOST_PROBLEMS).map(({ place, message }) => `${formatPlace(place)}: ${message}`);
  const more = problems.length > MOST_PROBLEMS ? [`and ${problems.length - MOST_PROBLEMS} more`] : [];
  const { file, line, column } = first.place;
  const places = problems.slice(0, MOST_PROBLEMS).map(({ place }) => place);
  throw new DrayError(code, [...lines, ...more].join('\n'), { where: { file, line, column }, places });
}

function tell(issue: Issue, base: Path, written: Written): Problem[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue, path, written);
  if (issue.code === 'invalid_key') {
    const place = written.keyAt(path);
    const found = JSON.stringify(printable(String(path.at(-1))));
    return issue.issues.map(({ message }) => ({ place, message: about(path.slice(0, -1), withFound(message, found)) }));
  }
  const [branch, ...others] =
    issue.code === 'invalid_union' ? meantBranches(issue.errors, isScalar(written.nodeAt(path))) : [];
  if (branch !== undefined && others.length === 0) return branch.flatMap((inner) => tell(inner, path, written));
  const message = issue.code === 'invalid_union' ? unionExpectation(issue) : issue.message;
  return [{ place: written.at(path), message: about(path, withFound(message, describe(written.nodeAt(path)))) }];
}

function unknownKeys(issue: Extract<Issue, { code: 'unrecognized_keys' }>, path: Path, written: Written): Problem[] {
  const messages = issue.message.split('\n');
  return issue.keys.map((key, i) => ({
    place: written.keyAt([...path, key]),
    message: about(path, messages[i] ?? issue.message),
  }));
}

/** The branches that got past the outermost type: the others were never meant. */
function meantBranches(branches: readonly (readonly Issue[])[], isWord: boolean): readonly (readonly Issue[])[] {
  return branches.filter((issues) => !issues.some((issue) => isOtherType(issue, isWord)));
}

/** `isWord`: is what was found a scalar? Of a list, nobody says that it is the wrong word. */
function isOtherType(issue: Issue, isWord: boolean): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return meantBranches(issue.errors, isWord).length === 0;
  return issue.code === 'invalid_type' || (issue.code === 'invalid_value' && !isWord);
}

function unionExpectation(issue: UnionIssue): string {
  return `expected ${[...new Set(expectationsOf(issue))].join(' or ')}`;
}

/** What each branch would have taken, unions within unions included; an empty value is nothing to ask for. */
function expectationsOf({ errors }: UnionIssue): readonly string[] {
  return errors.flatMap(([first]) => {
    if (first === undefined || (first.code === 'invalid_type' && first.expected === 'null')) return [];
    return first.code === 'invalid_union' ? expectationsOf(first) : [first.message.replace(/^expected /, '')];
  });
}

function withFound(message: string, found: string): string {
  return message.startsWith('expected ') && !message.includes(', found ') ? `${message}, found ${found}` : message;
}

/** `images[0].platforms: ` before the message; nothing at the top. */
function about(path: Path, message: string): string {
  const parts = path.map((part, i) =>
    typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${printable(String(part))}`,
  );
  return path.length === 0 ? message : `${parts.join('')}: ${message}`;
}

function describe(node: Node | undefined): string {
  if (node === undefined) return 'nothing';
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node)) return 'something else';
  // A login in a URL is nobody's business, least of all where it should not stand.
  const text = (node.source ?? String(node.value)).replace(/\/\/[^/\s@]*@/g, '//…@');
  if (text === '' && node.type === 'PLAIN') return 'nothing';
  const shown = JSON.stringify(printable(text.length > 60 ? `${text.slice(0, 60)}…` : text));
  return text !== '' && node.value === '' ? `${shown}, which comes to nothing` : shown;
}
