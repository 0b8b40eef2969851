import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VERBS } from '../../src/cli/commands.ts';
import { OPTIONS } from '../../src/cli/options.ts';
import { commandReference } from '../../src/cli/reference.ts';

describe('docs/cli.md', () => {
  test('is what the commands say (else: npm run generate)', () => {
    expect(readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')).toBe(commandReference());
  });

  test('has every verb with its options and examples', () => {
    const sections = new Map(
      commandReference()
        .split('\n## dray ')
        .map((text) => [text.split('\n')[0], text]),
    );
    for (const { name, options, examples } of VERBS) {
      for (const option of options) expect(sections.get(name)).toContain(OPTIONS[option].flags.replaceAll('|', '\\|'));
      for (const [line] of examples) expect(sections.get(name)).toContain(line);
    }
  });

  test('every option is of a verb, or of all', () => {
    const page = commandReference();
    for (const { flags } of Object.values(OPTIONS)) expect(page).toContain(`\`${flags}\``);
  });
});
