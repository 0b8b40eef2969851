import { REQUIRES_PYTHON, WHEELHOUSE } from '../../oci/media-types.ts';
import type { Shape } from '../named-files.ts';

/** A wheelhouse; of a wheel whose index says which versions of Python it is for, the layer says so too. */
export const WHEELS: Shape = {
  artifactType: WHEELHOUSE,
  annotations: (_, { requiresPython }) => (requiresPython === undefined ? {} : { [REQUIRES_PYTHON]: requiresPython }),
};
