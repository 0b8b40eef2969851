import { parseNgcName, ngcPath } from '../../manifest/ngc-name.ts';
import type { NgcName } from '../../manifest/ngc-name.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import type { Network } from '../../registry/network.ts';
import { ngcEndpoint } from '../../registry/services.ts';
import type { SourceEnvironment, Upstream } from '../source.ts';
import { readAnswer } from './answers.ts';
import type { Said } from './answers.ts';

/** The two kinds of things with versions and files, as NGC's paths spell them. */
export type Collection = 'models' | 'resources';

/** One model or resource of NGC. */
export interface NgcClient {
  /** `ngc://ORG/TEAM/NAME`, for messages and the lock. */
  readonly subject: string;
  readonly name: NgcName;
  readonly network: Network;
  /** A URL of the API below this model or resource; `path` is escaped already. */
  url(path: string): string;
  /** Asks for a document there. @throws `unreachable`, `login-refused`, `upstream-invalid` */
  ask(path: string): Promise<Said>;
}

/** A page of signed URLs; more than NGC sends of a thousand files. In bytes. */
const ANSWER_LIMIT = 64 * 1024 * 1024;

/** Statuses by which NGC refuses those who are nobody to it, or to whom a key gives no organisation. */
export const REFUSED: ReadonlySet<number> = new Set([400, 401, 403]);

/**
 * Everything is asked for below the organisation (`org/ORG/team/TEAM/models/NAME`); where that is refused, in the other
 * order (`models/org/…`), in which NGC shows guests what is public. The one that answers is kept to.
 */
export function openClient(
  collection: Collection,
  name: NgcName,
  { network, environment }: Pick<SourceEnvironment, 'network' | 'environment'>,
): NgcClient {
  const endpoint = ngcEndpoint(environment);
  const subject = `ngc://${ngcPath(name)}`;
  const [own, open] = pathsOf(collection, name);
  let base = own;
  const askAt = async (at: string, path: string): Promise<Said> =>
    readAnswer(await network.ask(`${endpoint}/v2/${at}${path}`, { limit: ANSWER_LIMIT }), subject);
  return {
    subject,
    name,
    network,
    url: (path) => `${endpoint}/v2/${base}${path}`,
    ask: async (path) => {
      const asked = base;
      const said = await askAt(asked, path);
      if (asked === open || !REFUSED.has(said.status)) return said;
      const other = await askAt(open, path).catch(() => undefined);
      if (other?.status !== 200) return said;
      base = open;
      return other;
    },
  };
}

/** What `dray doctor` looks for: the version, or the model or resource whose latest is meant. */
export function askedOf(
  collection: Collection,
  name: NgcName | undefined,
  environment: SourceEnvironment['environment'],
): readonly Upstream[] {
  if (name === undefined) return [];
  const version = name.version === undefined ? '' : `/versions/${encodeURIComponent(name.version)}`;
  return [{ type: 'url', url: `${ngcEndpoint(environment)}/v2/${pathsOf(collection, name)[0]}${version}` }];
}

/** Of an artifact in a lock: what it is of, and which version. Undefined where the lock says something else. */
export function lockedName({ from }: Pick<LockedArtifact, 'from'>): NgcName | undefined {
  return from.startsWith('ngc://') ? parseNgcName(from.slice('ngc://'.length)) : undefined;
}

function pathsOf(collection: Collection, { org, team, name }: NgcName): readonly [own: string, open: string] {
  const group = ['org', org, ...(team === undefined ? [] : ['team', team])].join('/');
  return [`${group}/${collection}/${name}`, `${collection}/${group}/${name}`];
}
