import { completionScript } from '../completion.ts';
import { DrayError } from '../../errors.ts';
import type { Run } from '../verb.ts';

export const run: Run = ({ words: [shell = ''] }) => {
  const script = completionScript(shell);
  if (script !== undefined) return Promise.resolve({ result: { shell, script }, text: () => script });
  return Promise.reject(new DrayError('usage', `completion ${JSON.stringify(shell)}: expected one of bash, zsh, fish`));
};
