import { completionScript } from '../completion.ts';
import { DrayError } from '../../errors.ts';
import { groupsHere } from '../open.ts';
import type { Run } from '../verb.ts';

export const run: Run = async (call) => {
  const [shell = ''] = call.words;
  if (shell === 'groups') return groupsAnswer(await groupsHere(call));
  const script = completionScript(shell);
  if (script !== undefined) return { result: { shell, script }, text: () => script };
  throw new DrayError('usage', `completion ${JSON.stringify(shell)}: expected one of bash, zsh, fish`);
};

/** For the scripts themselves, which ask for it when somebody presses Tab behind `--group`. No name of a group is anything that a shell would expand. */
function groupsAnswer(groups: readonly string[]): Awaited<ReturnType<Run>> {
  return {
    result: { groups },
    text: () => groups.map((name) => `${name}\n`).join(''),
  };
}
