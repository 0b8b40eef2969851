/** What NGC calls a model or a resource: `ORG[/TEAM]/NAME[:VERSION]`. */
export interface NgcName {
  readonly org: string;
  readonly team?: string;
  readonly name: string;
  /** Undefined where the latest is meant: nothing or `latest` was written. */
  readonly version?: string;
}

/** TAO writes it where there is no team (tao-core, ngc_utils.py, `split_ngc_path`). */
const NO_TEAM = 'no-team';

const PART = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-])?$/;
/** Versions of NIM models have a `+`, such as `0.11.1+ba20956e-l40sx1-bf16-throughput.1.1.0.17088220`. */
const VERSION = /^[A-Za-z0-9_](?:[A-Za-z0-9_.+-]{0,254}[A-Za-z0-9_+-])?$/;

/** Undefined for what is no such name; each of its parts can be written as a directory everywhere and stands in a URL as it is but for `+`. */
export function parseNgcName(text: string): NgcName | undefined {
  const [path = '', version, ...rest] = text.split(':');
  const parts = path.split('/').filter((part, place, all) => !(part === NO_TEAM && place === 1 && all.length === 3));
  const [org = '', ...below] = parts;
  const [team, name = ''] = below.length === 2 ? below : [undefined, below[0]];
  const isSound = parts.length >= 2 && parts.length <= 3 && parts.every((part) => PART.test(part));
  if (!isSound || rest.length > 0 || (version !== undefined && !VERSION.test(version))) return undefined;
  return {
    org,
    ...(team === undefined ? {} : { team }),
    name,
    ...(version === undefined || version === 'latest' ? {} : { version }),
  };
}

/** `ORG/NAME` or `ORG/TEAM/NAME` */
export function ngcPath({ org, team, name }: NgcName): string {
  return [org, ...(team === undefined ? [] : [team]), name].join('/');
}
