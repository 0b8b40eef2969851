/** The five kinds, spelled the same in the manifest, the lock, `take`, `--only`, the bundle and JSON; in this order everywhere. */
export const KINDS = ['images', 'charts', 'wheels', 'models', 'files'] as const;
export type Kind = (typeof KINDS)[number];
