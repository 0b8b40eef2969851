import { dirname, isAbsolute, join } from 'node:path';
import { readNamed } from './named-file.ts';
import type { Placed, WrittenEntry } from './manifest-file.ts';
import { expandVariables } from './variables.ts';
import type { Environment } from './variables.ts';

/** The lines of a `list`: one reference each, comments from `#`, empty lines ignored. @throws `manifest-invalid` */
export async function readList(
  path: string,
  { file: from, at }: WrittenEntry,
  environment: Environment,
): Promise<readonly Placed[]> {
  const file = isAbsolute(path) ? path : join(dirname(from), path);
  const text = await readNamed({ text: file, place: at('list') });
  return text.split(/\r\n|\n|\r/).flatMap((line, i) => {
    const written = line.replace(/(?:^|\s)#.*$/, '').trim();
    if (written === '') return [];
    const place = { file, line: i + 1, column: line.indexOf(written) + 1 };
    return [{ text: expandVariables(written, environment, place), place }];
  });
}
