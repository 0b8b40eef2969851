import { DrayError } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { hubPath } from '../../oci/hub-name.ts';
import type { HubRepository } from '../../oci/hub-name.ts';
import type { Answer } from '../../registry/network.ts';
import { pageUrl } from './hub.ts';
import type { Hub } from './hub.ts';

/** What was asked for: a repository, and of it a revision or a file. */
export interface Asked {
  readonly hub: Hub;
  readonly repository: HubRepository;
  /** `revision main`, `config.json` */
  readonly what: string;
}

/**
 * What a Hub means by a status that was not hoped for; it says more in `X-Error-Code` (huggingface_hub, utils/_http.py). Its own
 * words are not repeated: they could hold the token that it was shown.
 */
export function refusal({ status, headers }: Pick<Answer, 'status' | 'headers'>, asked: Asked): DrayError {
  const { repository, what } = asked;
  const subject = hubPath(repository);
  const code = headers['x-error-code'] ?? '';
  if (code === 'GatedRepo') return gated(status, asked);
  if (headers['x-error-message'] === 'Invalid credentials in Authorization header')
    return new DrayError('login-refused', `${subject}: the Hub does not accept the token`, {
      hint: 'set HF_TOKEN to one that is valid, or run `hf auth login`; without any, public repositories can be read',
    });
  if (headers['x-error-message'] === 'Access to this resource is disabled.')
    return new DrayError('login-refused', `${subject}: the Hub has disabled it`, {
      hint: `see ${pageUrl(asked.hub, repository)}`,
    });
  if (code === 'RevisionNotFound' || code === 'EntryNotFound')
    return new DrayError('not-found', `${subject}: there is no ${printable(what)}`);
  if (status === 401 || status === 403 || code === 'RepoNotFound') return unknown(status, asked);
  if (status === 404)
    return new DrayError('not-found', `${subject}: there is no such repository, or no ${printable(what)}`);
  return new DrayError(
    status === 429 || status >= 500 ? 'unreachable' : 'upstream-invalid',
    `${subject}: the Hub answered ${status} when asked for ${printable(what)}`,
    status === 429 ? { hint: 'wait a while, or set HF_TOKEN: a Hub allows more to those it knows' } : {},
  );
}

function gated(status: number, { hub, repository }: Asked): DrayError {
  const token = status === 401 ? ', and set HF_TOKEN to a token of it' : ' that HF_TOKEN belongs to';
  return new DrayError('login-refused', `${hubPath(repository)}: is gated, and this login has no access to its files`, {
    hint: `accept the licence at ${pageUrl(hub, repository)} with the account${token}; some owners grant access by hand`,
  });
}

/** To those who may not see a repository a Hub says 401 or 404, as if there were none. */
function unknown(status: number, { repository }: Asked): DrayError {
  const kind = repository.type === 'models' ? 'model' : 'dataset';
  const subject = hubPath(repository);
  if (status === 403)
    return new DrayError('login-refused', `${subject}: the token may not read this ${kind}`, {
      hint: 'give the token read access to this repository, or set HF_TOKEN to another one',
    });
  return new DrayError(
    status === 404 ? 'not-found' : 'login-refused',
    `${subject}: there is no such ${kind}, or it is private and this login may not see it`,
    { hint: 'check the spelling; for a private one set HF_TOKEN to a token that may read it, or run `hf auth login`' },
  );
}
