import type { Context } from '../../context.ts';
import type { DrayError } from '../../errors.ts';
import { roomsFor, shortage } from '../../io/disk/disk-space.ts';
import type { LoadTarget } from './target.ts';
import { tellSpace } from '../space.ts';
import type { Space } from '../space.ts';

/**
 * Tells what targets on local disks need for all that is expected of them: targets on one file system add up. Where that
 * is more than it has, the last of them fails, until the others fit.
 * @param fail throws, or goes on without that target
 */
export async function tellTargetSpace(
  targets: readonly LoadTarget[],
  ctx: Pick<Context, 'report'>,
  fail: (target: LoadTarget, error: DrayError) => void,
): Promise<readonly Space[]> {
  const asking = targets.flatMap((target) => {
    const demand = target.target.room?.();
    return demand === undefined || demand.bytes === 0 ? [] : [{ target, demand }];
  });
  for (;;) {
    const demands = asking.map(({ demand }) => demand);
    const [short] = (await roomsFor(demands)).filter(({ needed, free }) => needed > free);
    const error = short === undefined ? undefined : shortage(short);
    const last = asking.findLastIndex(({ demand }) => short?.paths.includes(demand.path) === true);
    const target = asking[last]?.target;
    if (error === undefined || target === undefined) return tellSpace(demands, ctx);
    asking.splice(last, 1);
    fail(target, error);
  }
}
