import type { Environment } from '../io/http/proxy.ts';
import { isOrigin } from './service-login.ts';
import type { ServiceLogin } from './service-login.ts';
import { ngcEndpoint } from './services.ts';

/** `NGC_API_KEY`: a personal or service key (`nvapi-…`) is a bearer token itself. */
export function ngcApiLogin(environment: Environment): ServiceLogin {
  const key = environment['NGC_API_KEY'] || environment['NGC_CLI_API_KEY'];
  return {
    owns: isOrigin(ngcEndpoint(environment)),
    authorization: () => Promise.resolve(key ? `Bearer ${key}` : undefined),
  };
}
