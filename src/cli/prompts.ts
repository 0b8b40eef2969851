import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { AskForMedium } from '../actions/options.ts';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import type { Io } from './io.ts';

/** Questions to the person at the terminal. */
export interface Prompts {
  /** Nothing that is typed shows. With `twice` until both are the same, at most three times. @throws `interrupted`, `usage` */
  passphrase(question: string, twice: boolean): Promise<string>;
  /** For the next disc: Enter says that it lies where the last one did. */
  medium(before: string): AskForMedium;
}

/** Undefined where nobody can answer: no terminal, or `--no-input`. `clear` takes a line that is being redrawn away. */
export function promptsOf(io: Io, noInput: boolean, clear: () => void): Prompts | undefined {
  if (noInput || io.stdin.isTTY !== true || io.stderr.isTTY !== true) return undefined;
  return {
    passphrase: async (question, twice) => {
      clear();
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const [first, second] = await ask(io, twice ? [question, 'the same again: '] : [question], true);
        if (first === undefined) throw new DrayError('interrupted', 'no passphrase was given');
        if (!twice || first === second) return first;
        io.stderr.write('they are not the same\n');
      }
      throw new DrayError('usage', 'the two passphrases were not the same');
    },
    medium: (before) => {
      let place = before;
      return async ({ medium, name, volume }) => {
        clear();
        const [answer] = await ask(
          io,
          [
            `insert ${printable(name)} (medium ${medium}, volume ${volume}) and press Enter; or type its directory, q to stop [${printable(place)}]: `,
          ],
          false,
        );
        if (answer === undefined || answer.trim() === 'q') return undefined;
        place = answer.trim() === '' ? place : answer.trim();
        return place;
      };
    },
  };
}

/** Asks one after the other; ends early where the input does. @throws `interrupted`, `terminated` */
function ask(io: Io, questions: readonly string[], hidden: boolean): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const answers: string[] = [];
    if (io.stdin.readableEnded) return resolve(answers);
    const nowhere = new Writable({ write: (_block, _encoding, done) => done() });
    // Only what reads key by key can keep from echoing; for anything else the terminal's own line editing is better.
    const lines = createInterface({
      input: io.stdin,
      ...(hidden ? { output: nowhere, terminal: true } : { terminal: false }),
    });
    const stop = (): void => {
      reject(io.signal.reason as DrayError);
      lines.close();
    };
    lines.on('line', (line) => {
      answers.push(line);
      if (hidden) io.stderr.write('\n');
      if (answers.length === questions.length) lines.close();
      else io.stderr.write(questions[answers.length] ?? '');
    });
    lines.once('SIGINT', () => {
      reject(new DrayError('interrupted', 'interrupted'));
      lines.close();
    });
    lines.once('close', () => {
      io.signal.removeEventListener('abort', stop);
      if (answers.length < questions.length) io.stderr.write('\n');
      resolve(answers);
    });
    io.signal.addEventListener('abort', stop, { once: true });
    io.stderr.write(questions[0] ?? '');
  });
}
