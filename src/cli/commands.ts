import { SELECTING } from './options.ts';
import type { OptionName } from './options.ts';
import type { Verb } from './verb.ts';

const PACKING: readonly OptionName[] = [
  ...(['media', 'format', 'signingKeys', 'unsigned', 'sequence', 'base', 'audience', 'expires'] as const),
  ...SELECTING,
  ...(['sites', 'created', 'withLoader', 'noStore', 'locked', 'planOnly', 'again', 'volume'] as const),
];

/** The verbs, in the order in which they are used. A new verb is one entry here and one file in `verbs/`. */
export const VERBS: readonly Verb[] = [
  {
    name: 'init',
    words: '[DIR]',
    says: 'write a commented manifest to start from',
    options: ['siteTemplate'],
    examples: [
      ['dray init', 'dray.yaml in this directory'],
      ['dray init --site /etc/dray', 'site.yaml, in an enclave'],
    ],
    offers: 'directories',
    load: () => import('./verbs/init.ts'),
  },
  {
    name: 'lock',
    words: '',
    says: 'pin what is not pinned yet; keep every pin that the manifest still allows',
    options: ['upgrade', 'check', 'sites', 'keepGoing'],
    examples: [
      ['dray lock', 'write or complete dray.lock'],
      ["dray lock --upgrade 'nvcr.io/*'", 'move the pins of these'],
      ['dray lock --check', 'in a pull request: does everything still agree?'],
    ],
    offers: [],
    load: () => import('./verbs/lock.ts'),
  },
  {
    name: 'fetch',
    words: '',
    says: 'fill the store from the lock; goes on where it stopped',
    options: [...SELECTING, 'keepGoing'],
    examples: [
      ['dray fetch', 'everything that is not there yet'],
      ['dray fetch --only images --without training', 'a part of it'],
    ],
    offers: [],
    load: () => import('./verbs/fetch.ts'),
  },
  {
    name: 'pack',
    words: '<OUT>',
    says: 'write a signed bundle, one directory below OUT for each medium',
    options: PACKING,
    examples: [
      ['dray pack out --media bd-r --key release.key', 'for 25 GB discs'],
      ['dray pack out --media usb:64GB --key release.key --expires 90d', 'for sticks'],
      ['dray pack out --media dvd+r --unsigned --dry-run', 'how many discs would it take?'],
      ['dray pack again --again out/retriever-42-1of3/bundle.json --volume 2', 'disc 2 was lost'],
    ],
    offers: 'directories',
    load: () => import('./verbs/pack.ts'),
  },
  {
    name: 'keygen',
    words: '<PREFIX>',
    says: 'make a key pair: PREFIX.key stays here, PREFIX.pub goes to the enclave',
    options: ['type', 'noPassword'],
    examples: [
      ['dray keygen release', 'asks for a passphrase (or DRAY_KEY_PASSWORD)'],
      ['dray keygen ci --no-password --type ed25519', 'for a machine'],
    ],
    offers: 'files',
    load: () => import('./verbs/keygen.ts'),
  },
  {
    name: 'sign',
    words: '<MEDIUM...>',
    says: 'add one more signature to a packed bundle, on all its media',
    options: ['signingKey', 'signatureTo', 'bundle'],
    examples: [
      ['dray sign out --key security.key', 'a second person signs'],
      ['dray sign /media/cdrom --key security.key --to security.sigstore.json', 'the disc is burnt already'],
    ],
    offers: 'directories',
    load: () => import('./verbs/sign.ts'),
  },
  {
    name: 'inspect',
    words: '<MEDIUM...>',
    says: 'show what is in a bundle and who signed it; reads metadata only',
    options: ['site', 'keys', 'threshold', 'signature', 'bundle', 'tree', 'files', 'images', 'models'],
    examples: [
      ['dray inspect /media/cdrom', 'any one medium tells it all'],
      ['dray inspect /media/cdrom --key release.pub --files', 'every file in it'],
      ['dray inspect /media/cdrom --images | cat', 'tags and their digests in full, to deploy by digest'],
    ],
    offers: 'directories',
    load: () => import('./verbs/inspect.ts'),
  },
  {
    name: 'verify',
    words: '<MEDIUM...>',
    says: 'check signatures, structure and every byte; says what to burn again',
    options: ['site', 'keys', 'threshold', 'signature', 'bundle', 'partial', 'quick', 'report'],
    examples: [
      ['dray verify /media/cdrom --partial --key release.pub', 'a disc just burnt'],
      ['dray verify out --key release.pub --key security.pub --threshold 2', 'two people must have signed'],
      ['dray verify /media/cdrom --quick', 'in the enclave, before a long load'],
    ],
    offers: 'directories',
    load: () => import('./verbs/verify.ts'),
  },
  {
    name: 'load',
    words: '<MEDIUM...>',
    says: 'verify a bundle while it is delivered to registries and directories',
    options: [
      ...(['site', 'keys', 'threshold', 'to', 'state', ...SELECTING, 'dryRun', 'keepGoing', 'allowOlder'] as const),
      ...(['recheck', 'signature', 'bundle'] as const),
    ],
    examples: [
      ['dray load /media/cdrom', 'as /etc/dray/site.yaml says; asks for the next disc'],
      ['dray load /media/cdrom --dry-run', 'what would go where'],
      ['dray load out --key k.pub --to registry://localhost:5000 --to directory:/srv', 'without a site file'],
    ],
    offers: 'directories',
    load: () => import('./verbs/load.ts'),
  },
  {
    name: 'status',
    words: '',
    says: 'show what this enclave accepted, when and signed by whom, and what is half done',
    options: ['site', 'state'],
    examples: [
      ['dray status', 'of the enclave of /etc/dray/site.yaml'],
      ['dray status --state /var/lib/dray --json', 'for a script'],
    ],
    offers: [],
    load: () => import('./verbs/status.ts'),
  },
  {
    name: 'diff',
    words: '<A> <B>',
    says: 'compare two locks, bundles or media: what was added, removed or moved (4 where they differ)',
    options: [],
    examples: [
      ['dray diff old.lock dray.lock', 'two locks'],
      ['dray diff out/retriever-41-1of2 out/retriever-42-1of3', 'two bundles'],
    ],
    offers: 'files',
    load: () => import('./verbs/diff.ts'),
  },
  {
    name: 'doctor',
    words: '',
    says: 'look at tools, logins, space, clock and reachability; say what to do about each',
    options: ['siteToo'],
    examples: [
      ['dray doctor', 'of the manifest here; without one, of the enclave of /etc/dray/site.yaml'],
      ['dray doctor --site site.yaml', 'of an enclave, before its first load'],
      ['dray doctor -f other.yaml --json', 'for a script: `checks` has a state for each'],
    ],
    offers: [],
    load: () => import('./verbs/doctor.ts'),
  },
  {
    name: 'completion',
    words: '<SHELL>',
    says: 'print the completion script for bash, zsh or fish',
    options: [],
    examples: [
      ['source <(dray completion bash)', 'in ~/.bashrc'],
      ['source <(dray completion zsh)', 'in ~/.zshrc, after compinit'],
      ['dray completion fish > ~/.config/fish/completions/dray.fish', 'once'],
    ],
    offers: ['bash', 'zsh', 'fish'],
    load: () => import('./verbs/completion.ts'),
  },
];

/** Verbs that are promised, and not there yet. */
export const PROMISED = ['receipt', 'trust', 'outdated', 'refresh', 'log', 'prune'] as const;

/** With those whose names are kept for later. */
export const NOT_YET = [
  ...PROMISED,
  ...['serve', 'repair', 'discover', 'point', 'export', 'burn', 'copy', 'watch'],
] as const;
