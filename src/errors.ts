/**
 * The catalogue of errors. A code is a promise: scripts match on it, `docs/errors.md` is generated from this table, and
 * the exit statuses are those of surface section "Exit statuses". Codes and statuses are added, never reused.
 */
interface CatalogueEntry {
  readonly exit: number;
  /** What the code means, one line, for the generated page. */
  readonly means: string;
  /** What to do, used as the hint where the thrower has nothing more exact to say. */
  readonly remedy: string;
}

export const CATALOGUE = {
  internal: { exit: 1, means: 'a fault in dray itself', remedy: 'run again with -v and report what it prints' },
  'io-failed': {
    exit: 1,
    means: 'the operating system refused a read or a write',
    remedy: 'look at the path named and run the same command again',
  },
  'upstream-invalid': {
    exit: 1,
    means: 'a source holds an image, a chart or a model that cannot be right',
    remedy: 'tell whoever publishes it; another version of it may do',
  },
  'target-failed': {
    exit: 1,
    means: 'a target answered something that cannot be right',
    remedy: 'look at the log of the target and run the same command again',
  },
  'state-damaged': {
    exit: 1,
    means: 'a file of the state that an enclave keeps cannot be read',
    remedy: 'restore the file named from a backup',
  },
  'name-taken': {
    exit: 1,
    means: 'a name at the target belongs to something that dray did not put there',
    remedy: 'remove it there, `rename` in the site file, or set `overwrite: true` for this target',
  },
  'medium-occupied': {
    exit: 1,
    means: 'the directory for a medium holds something else',
    remedy: 'pack to another directory, or move what is there away',
  },
  'hook-failed': {
    exit: 1,
    means: 'a hook of the site file ended with an error',
    remedy: 'see what the command printed; nothing of that volume was delivered',
  },

  usage: { exit: 2, means: 'the command line cannot be understood', remedy: 'see `dray VERB --help`' },
  'manifest-invalid': {
    exit: 2,
    means: 'the manifest says something that cannot be',
    remedy: 'mend the line named; docs/manifest.md lists every key',
  },
  'site-invalid': {
    exit: 2,
    means: 'the site file says something that cannot be',
    remedy: 'mend the line named; docs/site.md lists every key',
  },
  'upstreams-invalid': {
    exit: 2,
    means: 'the file of upstreams says something that cannot be',
    remedy: 'mend the line named; docs/upstreams.md lists every key',
  },
  'not-supported': { exit: 2, means: 'a key or option that is known but not supported yet', remedy: 'leave it out' },
  'key-invalid': {
    exit: 2,
    means: 'a key file cannot be used',
    remedy: 'keys are PEM, ECDSA P-256 or Ed25519, as `dray keygen` writes them',
  },
  'passphrase-wrong': {
    exit: 2,
    means: 'the key does not open with the passphrase given',
    remedy: 'set DRAY_KEY_PASSWORD, or run on a terminal to be asked',
  },
  'name-collision': {
    exit: 2,
    means: 'two artifacts would get one name',
    remedy: 'give one of them `as`, or `rename` in the site file',
  },
  'no-target': {
    exit: 2,
    means: 'an artifact that no target of the site takes',
    remedy: "add its kind to a target's `take`, or to `ignore` in the site file",
  },
  'cannot-hold': {
    exit: 2,
    means: 'a target cannot hold an artifact',
    remedy: 'choose another layout or target for it',
  },

  partial: {
    exit: 3,
    means: 'some artifacts failed and --keep-going was given',
    remedy: 'see the failures above and run the same command again',
  },

  'not-signed': {
    exit: 10,
    means: 'not signed as demanded',
    remedy: 'check that these are the media you expect and that the right keys are trusted',
  },
  'content-damaged': {
    exit: 11,
    means: 'bytes are not what was signed',
    remedy: 'copy or burn what is named again; the rest need not be repeated',
  },
  'bundle-invalid': {
    exit: 11,
    means: 'a bundle index, table or document is not what the format allows',
    remedy: 'copy the medium again from the connected side',
  },
  'volume-missing': {
    exit: 12,
    means: 'a volume of the bundle was not given',
    remedy: 'insert the medium named and run the same command again',
  },
  'upload-lost': {
    exit: 12,
    means: 'a registry or bucket lost an upload that was open between two media',
    remedy: 'begin again with the medium named; the others follow as before',
  },
  'lock-missing': { exit: 13, means: 'there is no lock where one is demanded', remedy: 'run `dray lock`' },
  'lock-behind': {
    exit: 13,
    means: 'the lock does not fit the manifest',
    remedy: 'run `dray lock` and review what changed',
  },
  'lock-invalid': {
    exit: 13,
    means: 'the lock cannot be read',
    remedy: 'restore it from version control, or remove it and run `dray lock`',
  },
  'local-changed': {
    exit: 13,
    means: 'a local file is not what was locked',
    remedy: 'run `dray lock --upgrade` if the change is meant',
  },
  'upstream-moved': {
    exit: 13,
    means: 'upstream serves other bytes than the lock pins, or none',
    remedy: 'run `dray lock --upgrade` for this artifact and review what moved',
  },
  'bundle-older': {
    exit: 14,
    means: 'older than what was accepted here',
    remedy: 'use the newest bundle, or `--allow-older` for a rollback on purpose',
  },
  'bundle-conflict': {
    exit: 14,
    means: 'another bundle under a sequence number that was already accepted',
    remedy: 'ask the connected side which of the two is right',
  },
  'bundle-expired': { exit: 14, means: 'the bundle has expired', remedy: 'ask the connected side for a newer one' },
  'bundle-audience': {
    exit: 14,
    means: 'the bundle is meant for another site',
    remedy: 'load it at the site it names',
  },
  'no-room': {
    exit: 15,
    means: 'not enough room',
    remedy: 'free as many bytes as named and run the same command again',
  },
  'not-found': {
    exit: 13,
    means: 'a reference that does not exist upstream',
    remedy: 'check the spelling, and whether a login is needed to see it',
  },
  unreachable: {
    exit: 16,
    means: 'a source or target cannot be reached',
    remedy: 'check the network and run the same command again',
  },
  'target-silent': {
    exit: 16,
    means: 'a target took no byte and gave no answer for a minute; the others were loaded',
    remedy: 'see whether it still works and run the same command again; it gets what it lacks',
  },
  'login-refused': {
    exit: 16,
    means: 'a source or target refuses the login',
    remedy: 'log in (a registry: `docker login HOST`; S3: the AWS chain) and run the same command again',
  },
  locked: { exit: 17, means: 'another dray holds the store or the state', remedy: 'wait for it to end' },
  interrupted: {
    exit: 130,
    means: 'interrupted (Ctrl-C)',
    remedy: 'run the same command again; it goes on where it stopped',
  },
  terminated: { exit: 143, means: 'terminated', remedy: 'run the same command again; it goes on where it stopped' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;

/** Where it happened: whatever applies. `line` and `column` count from 1. */
export interface Where {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly medium?: string;
  readonly volume?: string;
  readonly artifact?: string;
  readonly target?: string;
}

export interface ErrorDetail {
  readonly hint?: string;
  readonly where?: Where;
  /** Of a message of several lines: what each of them is about. */
  readonly places?: readonly Where[];
  readonly cause?: unknown;
  /** What was done before it failed, in the shape of the verb's result: `--json` prints it beside the error. */
  readonly result?: object;
}

/**
 * The only error class. `message` names the subject first, then what was expected and what was found, in lower case
 * and without a full stop; `hint` says what to do. Neither ever holds a credential.
 */
export class DrayError extends Error {
  override readonly name = 'DrayError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly where: Where;
  readonly places: readonly Where[];
  readonly result: object | undefined;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.hint = detail.hint ?? CATALOGUE[code].remedy;
    this.where = detail.where ?? {};
    this.places = detail.places ?? [];
    this.result = detail.result;
  }

  get exit(): number {
    return CATALOGUE[this.code].exit;
  }
}

/** The same error with more said about where; what the error already says stands. A line is of its own file alone. */
export function at(where: Where, error: unknown): DrayError {
  const known = asDrayError(error);
  const isElsewhere = known.where.file !== undefined && known.where.file !== where.file;
  const named = Object.entries(where).filter(([key]) => key !== 'line' && key !== 'column');
  return new DrayError(known.code, known.message, {
    hint: known.hint,
    where: { ...(isElsewhere ? Object.fromEntries(named) : where), ...known.where },
    places: known.places,
    cause: known,
  });
}

/** Any thrown value as a DrayError. Errors of the operating system keep their words; a full disk becomes `no-room`. */
export function asDrayError(error: unknown): DrayError {
  if (error instanceof DrayError) return error;
  if (!(error instanceof Error)) return new DrayError('internal', String(error), { cause: error });
  if (error.name === 'AbortError') return new DrayError('interrupted', 'interrupted', { cause: error });
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code) && 'syscall' in error)
    return ofSystem(error as NodeJS.ErrnoException);
  return new DrayError('internal', error.message, { cause: error });
}

/** Subject first: the file, or the one that was to be made of it. */
function ofSystem(error: NodeJS.ErrnoException & { readonly dest?: string }): DrayError {
  const file = error.dest ?? error.path;
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  const message = file === undefined ? error.message : `${file}: ${error.message.replace(/(, [a-z]+) '.*$/s, '$1')}`;
  return new DrayError(full ? 'no-room' : 'io-failed', message, {
    cause: error,
    ...(file === undefined ? {} : { where: { file } }),
    ...(full ? { hint: 'make room on the disk that this file lies on and run the same command again' } : {}),
  });
}
