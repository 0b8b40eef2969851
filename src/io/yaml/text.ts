import { Document, isCollection, isScalar, visit } from 'yaml';

// Characters that a reader of the text would not see, or that would end its line.

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]/;

export interface TextOptions {
  /** The items of lists under these keys stand on one line each: `- {digest: …, size: 1}`. */
  readonly oneLine?: readonly string[];
}

/**
 * YAML that gives the same value again: the same value always gives the same text, lines are never folded, nothing is an
 * alias, and a string that YAML 1.1 or 1.2 would read as something else is quoted. What an eye would not see is escaped.
 */
export function stringifyYaml(value: unknown, { oneLine = [] }: TextOptions = {}): string {
  const document = new Document(value, {
    version: '1.2',
    schema: 'core',
    compat: 'yaml-1.1',
    aliasDuplicateObjects: false,
  });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && UNSEEN.test(node.value)) node.type = 'QUOTE_DOUBLE';
    },
    Pair: (_, { key, value: list }) => {
      if (isScalar(key) && oneLine.includes(String(key.value)) && isCollection(list))
        for (const item of list.items) if (isCollection(item)) item.flow = true;
    },
  });
  const text = document.toString({ lineWidth: 0, doubleQuotedAsJSON: true, flowCollectionPadding: false });
  return text.replace(
    new RegExp(UNSEEN.source.replace('\\u0000-\\u001f', '\\u0000-\\u0009\\u000b-\\u001f'), 'g'),
    escaped,
  );
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
