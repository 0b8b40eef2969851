import type { Environment } from '../io/http/proxy.ts';

/** Where the services are that have an API of their own; their own variables may name another place, each without a final slash. */

/** `HF_ENDPOINT`, as huggingface_hub reads it. */
export function huggingFaceEndpoint({ HF_ENDPOINT }: Environment): string {
  return (HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
}

/** `NGC_ENDPOINT`: models and resources. */
export function ngcEndpoint({ NGC_ENDPOINT }: Environment): string {
  return (NGC_ENDPOINT || 'https://api.ngc.nvidia.com').replace(/\/+$/, '');
}

/** `NGC_AUTH_ENDPOINT`: exchanges a legacy key for a token. */
export function ngcAuthEndpoint({ NGC_AUTH_ENDPOINT }: Environment): string {
  return (NGC_AUTH_ENDPOINT || 'https://authn.nvidia.com').replace(/\/+$/, '');
}
