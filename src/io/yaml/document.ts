import { Composer, isDocument, Lexer, LineCounter, Parser } from 'yaml';
import type { CST, Document } from 'yaml';
import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { errorAt } from '../place.ts';
import type { Place } from '../place.ts';
import { printable } from '../safe-path.ts';

export interface ComposeOptions {
  readonly file: string;
  readonly code: ErrorCode;
  readonly scalars: 'as-written' | 'typed';
  readonly merge: boolean;
}

export interface Composed {
  readonly document: Document;
  /** The place of an offset into the text. */
  readonly placeOf: (offset: number) => Place;
}

/** Composer and visitor of `yaml` recurse, and V8 dies of a lost stack inside a regular expression: it must not come so far. */
const DEEPEST = 100;

/** The one document of a text, its syntax checked. @throws the given code */
export function composeYaml(text: string, options: ComposeOptions): Composed {
  const { file, code, scalars, merge } = options;
  const lines = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const tooDeep = (offset: number): DrayError =>
    errorAt(placeOf(offset), code, `expected at most ${DEEPEST} levels, found more`);
  const composer = new Composer({
    schema: scalars === 'typed' ? 'core' : 'failsafe',
    version: '1.2',
    uniqueKeys: false,
    merge,
  });
  const documents = composer.compose(tokens(text, lines, tooDeep), true, text.length);
  const { value: document } = documents.next();
  if (!isDocument(document)) throw new DrayError('internal', 'a composer without a document');
  const [error] = document.errors;
  if (error !== undefined) throw errorAt(placeOf(error.pos[0]), code, lowerFirst(printable(error.message)));
  const { value: second } = documents.next();
  if (isDocument(second)) throw errorAt(placeOf(second.range[0]), code, 'expected one document, found several');
  return { document, placeOf };
}

function* tokens(text: string, lines: LineCounter, tooDeep: (offset: number) => DrayError): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > DEEPEST) throw tooDeep(parser.offset);
  }
  yield* parser.end();
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
