import { DrayError } from '../errors.ts';

/** What a medium can hold. All in bytes. */
export interface MediaProfile {
  /** As given to `--media`, for people and for READ-ME.txt. */
  readonly name: string;
  /** Undefined: no limit. */
  readonly capacity: number | undefined;
  readonly largestFile: number;
  /** Every file is rounded up to this. */
  readonly allocationUnit: number;
  /** What the file system itself takes: once, and for each file beside its content. */
  readonly overhead: number;
  readonly overheadPerFile: number;
}

const MIB = 1024 * 1024;
/** FAT32's largest file: 2^32 - 1. */
const FAT32_LARGEST = 4_294_967_295;
const UNLIMITED = Number.MAX_SAFE_INTEGER;

/**
 * User data of each disc in bytes (2,048-byte sectors), the smallest that drives report: DVD+R and DVD-R DL as the common
 * denominators, BD-R with the spare area that most burners set aside.
 */
const DISCS: Readonly<Record<string, number>> = {
  'cd-r': 736_100_352,
  'dvd+r': 4_700_372_992,
  'dvd-r': 4_707_319_808,
  'dvd+r-dl': 8_547_991_552,
  'dvd-r-dl': 8_543_666_176,
  'bd-r': 24_220_008_448,
  'bd-r-dl': 48_440_016_896,
  'bd-r-tl': 96_882_130_944,
  'bd-r-ql': 123_706_802_176,
};

/** One medium without a limit: the default. */
export const UNLIMITED_MEDIUM: MediaProfile = {
  name: 'unlimited',
  capacity: undefined,
  largestFile: UNLIMITED,
  allocationUnit: 2048,
  overhead: 0,
  overheadPerFile: 0,
};

/** `--media`: a disc, `usb:N`, `fat32:N` or a size. @throws `usage` */
export function parseMediaProfile(text: string): MediaProfile {
  const disc = Object.hasOwn(DISCS, text) ? DISCS[text] : undefined;
  if (disc !== undefined) return optical(text, disc);
  const [prefix, amount] = text.includes(':') ? (text.split(':', 2) as [string, string]) : ['', text];
  const capacity = parseSize(amount);
  if (prefix === 'usb') return stick(text, capacity, 128 * 1024, UNLIMITED, 4);
  if (prefix === 'fat32') return stick(text, capacity, 32 * 1024, FAT32_LARGEST, 8);
  if (prefix === '') return { ...UNLIMITED_MEDIUM, name: text, capacity };
  throw unknownProfile(text);
}

/** ISO 9660 with Joliet and Rock Ridge: 183 sectors for an empty disc, measured 560 bytes of directory records a file. */
function optical(name: string, capacity: number): MediaProfile {
  return { name, capacity, largestFile: UNLIMITED, allocationUnit: 2048, overhead: MIB, overheadPerFile: 1024 };
}

/** exFAT and FAT32: allocation tables (`bytesPerCluster` for each cluster, twice to be safe) and a directory. */
function stick(
  name: string,
  capacity: number,
  allocationUnit: number,
  largestFile: number,
  bytesPerCluster: number,
): MediaProfile {
  const tables = Math.ceil(capacity / allocationUnit) * bytesPerCluster * 2;
  return { name, capacity, largestFile, allocationUnit, overhead: tables + 4 * MIB, overheadPerFile: 512 };
}

/** `700MB`, `64GB`, `4.7GB`, or bytes: powers of 1,000. @throws `usage` */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)B?$/i.exec(text);
  const unit = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 }[match?.[2]?.toUpperCase() ?? 'x'];
  const bytes = match === null || unit === undefined ? NaN : Math.floor(Number(match[1]) * unit);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw unknownProfile(text);
}

function unknownProfile(text: string): DrayError {
  const known = [...Object.keys(DISCS), 'usb:N', 'fat32:N', 'a size such as 700MB'].join(', ');
  return new DrayError('usage', `--media ${JSON.stringify(text)}: expected one of ${known}`);
}
