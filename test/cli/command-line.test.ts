import { describe, expect, test } from 'vitest';
import { NOT_YET, VERBS } from '../../src/cli/commands.ts';
import { dray } from './harness.ts';

describe('the command line', () => {
  test('promises the verbs of this issue', () => {
    expect(VERBS.map(({ name }) => name)).toEqual([
      ...[
        'init',
        'lock',
        'fetch',
        'pack',
        'keygen',
        'sign',
        'inspect',
        'verify',
        'load',
        'status',
        'diff',
        'doctor',
        'completion',
      ],
    ]);
  });

  test.each(VERBS.map((verb) => [verb.name, verb] as const))(
    '%s --help shows its options, those of every verb, and examples',
    async (name, verb) => {
      const { status, out, err } = await dray([name, '--help']);
      expect([status, err]).toEqual([0, '']);
      expect(out).toContain(`Usage: dray ${name} [options]`);
      expect(out).toMatch(/--progress <HOW>.*--no-color.*Examples:/s);
      for (const [line, purpose] of verb.examples) expect(out).toContain(`  # ${purpose}\n  ${line}\n`);
      for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    },
  );

  test.each(VERBS.flatMap(({ name, examples }) => examples.map(([line]) => [name, line] as const)))(
    'an example of %s can be parsed: %s',
    async (name, line) => {
      const { parse } = await import('../../src/cli/parse.ts');
      const words = (/dray ([^>)|]*)/.exec(line)?.[1] ?? '')
        .trim()
        .split(/\s+/)
        .map((word) => word.replaceAll("'", ''));
      expect(parse(words, 80)).toMatchObject({ type: 'call', verb: { name } });
    },
  );

  test.each(NOT_YET)('%s is known, and not supported yet', async (name) => {
    const { status, json } = await dray([name, '--add', 'x', '--help', '--json']);
    expect([status, json().verb, json().error?.code]).toEqual([2, name, 'not-supported']);
  });

  test.each([['--base', 'x'], ['--with-loader'], ['--no-store']])(
    'pack %s is known, and not supported yet',
    async (...words) => {
      const { status, err } = await dray(['pack', 'out', '--unsigned', ...words]);
      expect(status).toBe(2);
      expect(err).toBe(`dray: ${words[0]} is not supported yet\nhint: leave it out\n`);
    },
  );

  test('--version and --help need no verb', async () => {
    expect(await dray(['--version'])).toMatchObject({ status: 0, out: 'dray 0.1.0\n', err: '' });
    expect((await dray(['--help'])).out).toContain('Usage: dray <verb>');
    expect((await dray(['help', 'lock'])).out).toContain('Usage: dray lock');
  });
});

describe('options of every verb', () => {
  const refused = ['completion', 'ksh'];

  test.each([
    ['before', ['--json', '--progress', 'none', '-j', '3', ...refused]],
    ['after', [...refused, '-j3', '--progress=none', '--json']],
  ])('stand %s the verb', async (_where, argv) => {
    expect((await dray(argv)).json()).toMatchObject({ verb: 'completion', exit: 2, error: { code: 'usage' } });
  });

  test('are told with their values', async () => {
    const { parse } = await import('../../src/cli/parse.ts');
    const words = [
      '-q',
      'pack',
      'out',
      '--no-input',
      '--key',
      'a',
      '-f',
      'm.yaml',
      '--key',
      'b',
      '--sequence',
      '7',
      '-v',
      '--no-color',
    ];
    expect(parse(words, 80)).toMatchObject({
      words: ['out'],
      given: {
        quiet: true,
        verbose: true,
        noInput: true,
        noColor: true,
        file: 'm.yaml',
        signingKeys: ['a', 'b'],
        sequence: 7,
      },
    });
    expect(parse(['status'], 80)).toMatchObject({ given: {} });
  });

  test('--upgrade takes no names, or several', async () => {
    const { parse } = await import('../../src/cli/parse.ts');
    expect(parse(['lock', '--upgrade'], 80)).toMatchObject({ given: { upgrade: [] } });
    expect(parse(['lock', '--upgrade', 'a/*', 'b', '--check'], 80)).toMatchObject({
      given: { upgrade: ['a/*', 'b'], check: true },
    });
  });
});

describe('a command line that cannot be understood', () => {
  test.each([
    [['lok'], "unknown verb 'lok'", 'did you mean lock?'],
    [['pack', 'out', '--mdia', 'x'], "unknown option '--mdia'", 'did you mean --media?'],
    [['verify', '--jsn', 'x'], "unknown option '--jsn'", 'did you mean --json?'],
    [['pack'], "missing required argument 'OUT'", 'see `dray pack --help`'],
    [
      ['diff', 'a', 'b', 'c'],
      "too many arguments for 'diff': expected 2 arguments but got 3",
      'see `dray diff --help`',
    ],
    [
      ['fetch', '--only', 'image'],
      '--only "image": expected one of images, charts, wheels, models, files',
      'see `dray fetch --help`',
    ],
    [['status', '-j', '0'], '--jobs "0": expected a whole number from 1', 'see `dray status --help`'],
    [['pack', 'o', '--sequence', '1e3'], '--sequence "1e3": expected a whole number from 1', 'see `dray pack --help`'],
    [
      ['--progress', 'loud', 'status'],
      '--progress "loud": expected one of auto, plain, json, none',
      'see `dray status --help`',
    ],
    [['--only', 'images'], "unknown option '--only'", 'see `dray --help`'],
  ])('%j ends with 2 and says what is wrong', async (argv, message, hint) => {
    expect(await dray(argv)).toMatchObject({ status: 2, out: '', err: `dray: ${message}\nhint: ${hint}\n` });
  });

  test('dray alone shows its help on standard error', async () => {
    const { status, out, err } = await dray([]);
    expect([status, out]).toEqual([2, '']);
    expect(err).toMatch(
      /^Usage: dray <verb>.*doctor .*\ndray: a verb is missing\nhint: `dray VERB --help` shows examples\n$/s,
    );
    expect((await dray(['--json'])).json()).toMatchObject({
      exit: 2,
      help: expect.stringContaining('Usage') as string,
    });
  });

  test('help of a verb that there is not is not silent', async () => {
    expect((await dray(['help', 'lok'])).err).toContain("unknown verb 'lok'\nhint: did you mean lock?");
    expect((await dray(['help', 'prune'])).err).toContain('`dray prune` is not supported yet');
    expect((await dray(['--json', 'help', 'lock'])).json()).toMatchObject({ verb: 'lock', exit: 0 });
    expect((await dray(['help', 'help'])).status).toBe(0);
  });

  test('answers one JSON document where --json stands anywhere', async () => {
    const { out, json } = await dray(['pack', '--mdia', '--json']);
    expect(out.endsWith('}\n')).toBe(true);
    expect(Object.keys(json())).toEqual(['dray', 'verb', 'exit', 'error']);
    expect(json()).toEqual({
      ...{ dray: 1, verb: 'pack', exit: 2 },
      error: { code: 'usage', message: "unknown option '--mdia'", hint: 'did you mean --media?', where: {} },
    });
  });

  test('--json answers one document also where nothing is wrong', async () => {
    expect((await dray(['--version', '--json'])).json()).toMatchObject({ exit: 0, error: null, version: '0.1.0' });
    expect((await dray(['lock', '--help', '--json'])).json()).toMatchObject({
      verb: 'lock',
      exit: 0,
      help: expect.stringContaining('Usage') as string,
    });
  });

  test('what was typed cannot reach the terminal as anything but text', async () => {
    const { err } = await dray(['\u001b[31mred\ndray: fine']);
    expect(err).not.toContain('\u001b');
    expect(err).toContain('\\u001b[31mred');
    expect(err.split('\n').filter((line) => line.startsWith('dray:'))).toHaveLength(1);
  });
});
