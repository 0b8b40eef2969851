import { DrayError } from '../../errors.ts';
import { hubPath } from '../../oci/hub-name.ts';
import { isUnambiguous } from '../../oci/json-keys.ts';
import type { Answer } from '../../registry/network.ts';
import { refusal } from './refusals.ts';
import type { Asked } from './refusals.ts';

/** Of a repository of 100,000 files its own description takes some 6 MB. In bytes. */
const LIMIT = 32 * 1024 * 1024;

/** Asks a Hub's API, and parses what it says. @throws `not-found`, `login-refused`, `unreachable`, `upstream-invalid` */
export async function ask(url: string, asked: Asked): Promise<{ readonly answer: Answer; readonly value: unknown }> {
  const answer = await asked.hub.network.ask(url, { limit: LIMIT }).catch((error: unknown) => {
    if (!(error instanceof DrayError) || error.code !== 'target-failed') throw error;
    throw unusable(asked, `expected at most ${LIMIT} bytes, found more`);
  });
  if (answer.status !== 200) throw refusal(answer, asked);
  if (/^\s*text\/html\b/i.test(answer.headers['content-type'] ?? '')) throw webPage(asked);
  return { answer, value: parse(Buffer.from(answer.body).toString(), asked) };
}

/** What a Hub says that cannot be right. */
export function unusable({ repository, what }: Asked, said: string): DrayError {
  return new DrayError('upstream-invalid', `${hubPath(repository)}: ${what}: ${said}`);
}

/** @throws `upstream-invalid` for what is no JSON, and for an object with a key twice, of which readers take either */
function parse(text: string, asked: Asked): unknown {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null) throw unusable(asked, 'expected JSON, found something else');
  if (!isUnambiguous(text, value as Record<string, unknown>))
    throw unusable(asked, 'expected JSON with each key once, found one twice');
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function webPage({ hub, repository }: Asked): DrayError {
  return new DrayError(
    'unreachable',
    `${new URL(hub.endpoint).host}: answered with a web page when asked for ${hubPath(repository)}`,
    {
      hint: 'something else answers in its place, such as a proxy or the login page of a network: look at it with a browser, and at HF_ENDPOINT',
    },
  );
}
