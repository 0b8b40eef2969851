import type { ErrorCode } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';

/** Something that is not as it should be, and where: medium → volume → chunk → blob → artifact, as far as it is known. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  /** Subject first, then what was expected and found; safe to print. */
  readonly message: string;
  /** The name of the medium's directory. */
  readonly medium?: string;
  /** The volume's file name; in the directory format its medium's directory name. */
  readonly volume?: string;
  /** Number of the 64 KiB chunk within the stored file, from 0. */
  readonly chunk?: number;
  readonly blob?: Digest;
  readonly artifact?: string;
  readonly hint: string;
}
