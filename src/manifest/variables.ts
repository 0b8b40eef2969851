import { errorAt } from '../io/place.ts';
import type { Place } from '../io/place.ts';
import { printable } from '../io/safe-path.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const NAME = '[A-Za-z_][A-Za-z0-9_]*';
const DOLLAR = new RegExp(`\\$(?:(\\$)|\\{(${NAME})(?::-([^}]*))?\\}|(\\{[^}]*\\}?))`, 'g');

/**
 * `${NAME}` and `${NAME:-default}` from the environment, `$$` a dollar; any other dollar stays. As in a shell, the default
 * also stands for a variable that is set to nothing.
 * @throws `manifest-invalid`, which never shows a value
 */
export function expandVariables(text: string, environment: Environment, place: Place): string {
  return text.replace(DOLLAR, (_, dollar?: string, name: string = '', fallback?: string, odd?: string) => {
    if (dollar !== undefined) return '$';
    if (odd !== undefined)
      throw errorAt(
        place,
        'manifest-invalid',
        `expected \${NAME} or \${NAME:-default}, found $${printable(odd)}`,
        'a dollar that is meant is written $$',
      );
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value !== undefined && (value !== '' || fallback === undefined)) return value;
    if (fallback !== undefined) return fallback;
    throw errorAt(
      place,
      'manifest-invalid',
      `the variable ${name} is not set`,
      `set it, or write \${${name}:-default}`,
    );
  });
}
