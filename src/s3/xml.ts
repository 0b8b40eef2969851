import { DrayError } from '../errors.ts';

/** An element of an answer: its text, where it has no children, and its children in order. */
export interface Element {
  readonly name: string;
  text: string;
  readonly children: Element[];
}

const DEEPEST = 8;
const TOKEN = /<(\/?)([A-Za-z_][\w.:-]*)((?:\s[^<>]*)?)(\/?)>|<\?[^<>]*\?>|([^<]+)/y;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * The XML that S3 answers: elements and text, a few levels deep. Declarations of types and entities, comments and CDATA
 * are not part of it and refused, so nothing grows while it is read; time is linear in the length.
 * @throws `target-failed` where it is anything else
 */
export function parseXml(text: string, subject: string): Element {
  const root: Element = { name: '', text: '', children: [] };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const token = TOKEN.exec(text);
    const current = open.at(-1);
    if (token === null || current === undefined) throw malformed(subject);
    const [, closing, name, attributes = '', , words] = token;
    if (words !== undefined) current.text += decoded(words, subject);
    else if (name !== undefined && closing === '/') close(open, name, subject);
    else if (name !== undefined) begin(open, name, attributes.endsWith('/') || token[4] === '/', subject);
  }
  const [only, ...others] = root.children;
  if (open.length !== 1 || only === undefined || others.length > 0) throw malformed(subject);
  return only;
}

function begin(open: Element[], name: string, isEmpty: boolean, subject: string): void {
  const element: Element = { name, text: '', children: [] };
  open.at(-1)?.children.push(element);
  if (isEmpty) return;
  if (open.length >= DEEPEST) throw malformed(subject);
  open.push(element);
}

function close(open: Element[], name: string, subject: string): void {
  if (open.length < 2 || open.pop()?.name !== name) throw malformed(subject);
}

/** The text of a child; undefined where there is none. */
export function textOf({ children }: Element, name: string): string | undefined {
  return children.find((child) => child.name === name)?.text.trim();
}

export function childrenOf({ children }: Element, name: string): readonly Element[] {
  return children.filter((child) => child.name === name);
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function decoded(words: string, subject: string): string {
  return words.replace(/&(?:([^;&]{1,10});)?/g, (_, entity: string | undefined) => {
    if (entity !== undefined && Object.hasOwn(ENTITIES, entity)) return ENTITIES[entity] ?? '';
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(entity ?? '') ?? [];
    const code = hex === undefined ? Number(decimal) : parseInt(hex, 16);
    if (code <= 0x10ffff) return String.fromCodePoint(code);
    throw malformed(subject);
  });
}

function malformed(subject: string): DrayError {
  return new DrayError('target-failed', `${subject}: expected an answer in XML as S3 gives it, found something else`);
}
