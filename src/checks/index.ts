import type { Check } from './check.ts';
import { contentsCheck } from './contents.ts';
import { graphCheck } from './graph.ts';
import { mediaCheck } from './media.ts';
import { sumsCheck } from './sums.ts';
import { tablesCheck } from './tables.ts';
import { volumesCheck } from './volumes.ts';

/** All checks, in the order they run: what blames most comes first. */
export const CHECKS: readonly Check[] = [mediaCheck, sumsCheck, volumesCheck, tablesCheck, graphCheck, contentsCheck];
