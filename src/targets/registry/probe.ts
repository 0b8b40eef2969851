import { DrayError } from '../../errors.ts';
import type { Network } from '../../registry/network.ts';
import type { RegistrySpec } from '../../site/site.ts';
import { splitRegistry } from '../naming.ts';
import type { Probed } from '../target.ts';

/** Below the prefix, where images will go. Nothing gets this name: the upload that is opened there is given up again. */
const REPOSITORY = 'dray-doctor';

type Open = (onDate: (host: string, date: Date) => void) => Network;

/** Does a registry answer, log us in and let us push? @throws `unreachable`, `login-refused`, `target-failed` */
export async function probeRegistry({ registry }: RegistrySpec, open: Open): Promise<Probed> {
  const { host, prefix } = splitRegistry(registry);
  let time: Date | undefined;
  const network = open((_, date) => (time = date));
  try {
    const repository = network.repository(host, `${prefix}${REPOSITORY}`);
    await repository.cancel(await repository.begin());
    return { message: 'answers and takes uploads', warnings: [], ...(time === undefined ? {} : { time }) };
  } catch (error) {
    if (!isMissing(error)) throw error;
    const warning = {
      message: `has no repository ${prefix}${REPOSITORY} and makes none, so pushing could not be tried`,
      hint: 'see that every repository, or the project of the prefix, is there before the load',
    };
    return { message: 'answers', warnings: [warning], ...(time === undefined ? {} : { time }) };
  } finally {
    await network.close();
  }
}

/** The registry is there, the repository is not: said by the refusal itself, or by what it came from. */
function isMissing(error: unknown): boolean {
  return error instanceof DrayError && (error.code === 'not-found' || isMissing(error.cause));
}
