import { KINDS } from '../oci/kinds.ts';
import type { Offers } from './verb.ts';

/**
 * Every option once, as data: the parser, `--help`, the completions and docs/cli.md read this table. Where one spelling
 * means different things to different verbs (`--site`, `--key`, `--to`) each meaning is an entry.
 */
export interface OptionSpec {
  readonly flags: string;
  readonly says: string;
  /** `flag`: given or not; `text`: the last one counts; `list`: may be repeated; `count`: a whole number from 1; `names`: any number of words, also none. */
  readonly value: 'flag' | 'text' | 'list' | 'count' | 'names';
  readonly choices?: readonly string[];
  /** Choices that are offered, where others are allowed as well. */
  readonly offers?: Offers;
  /** Known, and answered with `not-supported`. */
  readonly reserved?: true;
}

/** Discs that `--media` knows. */
export const DISCS = ['cd-r', 'dvd+r', 'dvd-r', 'dvd+r-dl', 'dvd-r-dl', 'bd-r', 'bd-r-dl', 'bd-r-tl', 'bd-r-ql'];

const EVERYWHERE = {
  file: {
    flags: '-f, --file <FILE>',
    says: 'the manifest (default: dray.yaml, here or in the nearest parent)',
    value: 'text',
    offers: 'files',
  },
  store: {
    flags: '--store <DIR>',
    says: 'the store (default: DRAY_STORE, or .dray/store beside the manifest)',
    value: 'text',
    offers: 'directories',
  },
  jobs: { flags: '-j, --jobs <N>', says: 'transfers at a time (default: 4, at most 64)', value: 'count' },
  json: { flags: '--json', says: 'write exactly one JSON document to standard output', value: 'flag' },
  progress: {
    flags: '--progress <HOW>',
    says: 'auto (default), plain, json or none',
    value: 'text',
    choices: ['auto', 'plain', 'json', 'none'],
  },
  quiet: { flags: '-q, --quiet', says: 'only results and errors: no progress, no warnings', value: 'flag' },
  verbose: {
    flags: '-v, --verbose',
    says: 'every request, retry, signature and blob as well; of an error where in the code',
    value: 'flag',
  },
  noInput: { flags: '--no-input', says: 'never ask', value: 'flag' },
  noColor: { flags: '--no-color', says: 'no colours (also: NO_COLOR)', value: 'flag' },
} as const satisfies Record<string, OptionSpec>;

const SELECTION = {
  only: { flags: '--only <KIND>', says: 'only artifacts of this kind (repeatable)', value: 'list', choices: KINDS },
  group: {
    flags: '--group <GROUP>',
    says: 'only artifacts of this group (repeatable)',
    value: 'list',
    offers: 'groups',
  },
  without: {
    flags: '--without <GROUP>',
    says: 'no artifacts of this group (repeatable)',
    value: 'list',
    offers: 'groups',
  },
} as const satisfies Record<string, OptionSpec>;

const CONNECTED = {
  siteTemplate: { flags: '--site', says: 'write a site.yaml for an enclave instead', value: 'flag' },
  upgrade: { flags: '--upgrade [NAME...]', says: 'move pins: all, or of the artifacts named (globs)', value: 'names' },
  check: {
    flags: '--check',
    says: 'write nothing; fail (13) where manifest, lock and local files disagree',
    value: 'flag',
  },
  sites: {
    flags: '--site <FILE>',
    says: "a copy of an enclave's site file: prove that it can take this (repeatable)",
    value: 'list',
    offers: 'files',
  },
  keepGoing: { flags: '--keep-going', says: 'go on with the other artifacts where one fails (3)', value: 'flag' },
  media: {
    flags: '--media <PROFILE>',
    says: 'a disc such as bd-r or dvd+r, usb:64GB, fat32:32GB or a size (default: one medium, no limit)',
    value: 'text',
    offers: DISCS,
  },
  format: {
    flags: '--format <FORMAT>',
    says: 'archive (default) or directory',
    value: 'text',
    choices: ['archive', 'directory'],
  },
  signingKeys: {
    flags: '--key <FILE>',
    says: 'sign with this private key (repeatable; or DRAY_KEY)',
    value: 'list',
    offers: 'files',
  },
  unsigned: { flags: '--unsigned', says: 'do not sign', value: 'flag' },
  sequence: {
    flags: '--sequence <N>',
    says: 'number of this bundle (default: one more than the last one packed)',
    value: 'count',
  },
  base: { flags: '--base <BASE>', says: 'pack only what this receipt or bundle lacks', value: 'text', reserved: true },
  audience: { flags: '--audience <SITE>', says: 'only for the enclave of this name (repeatable)', value: 'list' },
  expires: { flags: '--expires <WHEN>', says: 'refused after this: 90d, 12w, 36h or a date', value: 'text' },
  created: { flags: '--created <TIME>', says: 'time of creation, RFC 3339 (or SOURCE_DATE_EPOCH)', value: 'text' },
  withLoader: { flags: '--with-loader', says: 'put dray itself on the media', value: 'flag', reserved: true },
  noStore: { flags: '--no-store', says: 'stream from upstream to the media', value: 'flag', reserved: true },
  locked: { flags: '--locked', says: 'fail (13) where there is no lock', value: 'flag' },
  planOnly: {
    flags: '--dry-run',
    says: 'say how many media, what on which, and what targets need; write nothing',
    value: 'flag',
  },
  again: {
    flags: '--again <BUNDLE.json>',
    says: 'write one volume of this bundle once more, byte for byte',
    value: 'text',
    offers: 'files',
  },
  volume: { flags: '--volume <N>', says: 'which volume, with --again', value: 'count' },
  type: { flags: '--type <TYPE>', says: 'p256 (default) or ed25519', value: 'text', choices: ['p256', 'ed25519'] },
  noPassword: { flags: '--no-password', says: 'leave the private key unencrypted', value: 'flag' },
  signingKey: {
    flags: '--key <FILE>',
    says: 'sign with this private key (or DRAY_KEY)',
    value: 'text',
    offers: 'files',
  },
  signatureTo: {
    flags: '--to <FILE>',
    says: 'write the signature to this file, for media already burnt',
    value: 'text',
    offers: 'files',
  },
} as const satisfies Record<string, OptionSpec>;

const ENCLAVE = {
  site: {
    flags: '--site <FILE>',
    says: 'the site file (default: DRAY_SITE, or /etc/dray/site.yaml)',
    value: 'text',
    offers: 'files',
  },
  siteToo: {
    flags: '--site <FILE>',
    says: 'look at the enclave of this site file',
    value: 'text',
    offers: 'files',
  },
  keys: {
    flags: '--key <PUB>',
    says: 'trust this public key (repeatable), instead of a site',
    value: 'list',
    offers: 'files',
  },
  threshold: { flags: '--threshold <N>', says: 'this many of the keys must have signed (default: 1)', value: 'count' },
  bundle: { flags: '--bundle <NAME-SEQ>', says: 'which bundle, where the directories hold several', value: 'text' },
  signature: {
    flags: '--signature <FILE>',
    says: 'a signature made after the media were burnt (repeatable)',
    value: 'list',
    offers: 'files',
  },
  tree: { flags: '--tree', says: 'show artifacts by group, with what came beside them', value: 'flag' },
  files: { flags: '--files', says: 'list every named file', value: 'flag' },
  images: { flags: '--images', says: 'list images only: which digest each tag stands for', value: 'flag' },
  models: {
    flags: '--models',
    says: 'list models only: format, parameters, licence, source, pickled files',
    value: 'flag',
  },
  partial: { flags: '--partial', says: 'these media only; do not ask for the others', value: 'flag' },
  quick: { flags: '--quick', says: 'metadata, sizes and signatures only', value: 'flag' },
  report: {
    flags: '--report <FILE>',
    says: 'write the JSON document to this file as well',
    value: 'text',
    offers: 'files',
  },
  to: { flags: '--to <URI>', says: 'deliver to this target (repeatable), instead of a site', value: 'list' },
  state: {
    flags: '--state <DIR>',
    says: "where the enclave's state is kept (default: dray in the user's state directory)",
    value: 'text',
    offers: 'directories',
  },
  dryRun: { flags: '--dry-run', says: 'say what would go where; deliver nothing', value: 'flag' },
  allowOlder: { flags: '--allow-older', says: 'a rollback on purpose; it is recorded', value: 'flag' },
  recheck: { flags: '--recheck', says: 'trust nothing that is there already', value: 'flag' },
} as const satisfies Record<string, OptionSpec>;

export const OPTIONS = { ...EVERYWHERE, ...SELECTION, ...CONNECTED, ...ENCLAVE };
export type OptionName = keyof typeof OPTIONS;

/** Of every verb, and also before the verb. */
export const COMMON = Object.keys(EVERYWHERE) as readonly OptionName[];
export const SELECTING = Object.keys(SELECTION) as readonly OptionName[];

interface Values {
  flag: true;
  text: string;
  list: readonly string[];
  count: number;
  names: readonly string[];
}

/** What was given, by name of option; what was not given is not there. */
export type Given = { readonly [Name in OptionName]?: Values[(typeof OPTIONS)[Name]['value']] };
