import { DrayError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What signs a request. Never stored, never shown. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * The AWS chain: keys in the environment, the profile's files (with roles, SSO, processes), web identity, container and
 * instance metadata. What expires is fetched again in time.
 * @throws `login-refused` where none of them has any
 */
export function credentialsFrom(environment: Environment, region: string): () => Promise<Credentials> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  if (isSet(accessKeyId) && isSet(secretAccessKey)) {
    const { AWS_SESSION_TOKEN: sessionToken } = environment;
    return () => Promise.resolve({ accessKeyId, secretAccessKey, ...(isSet(sessionToken) ? { sessionToken } : {}) });
  }
  let chain: Promise<() => Promise<Credentials>> | undefined;
  return async () => {
    chain ??= openChain(environment, region);
    try {
      return await (
        await chain
      )();
    } catch (error) {
      throw noCredentials(error);
    }
  };
}

async function openChain(environment: Environment, region: string): Promise<() => Promise<Credentials>> {
  const [{ defaultProvider }, { state }] = await Promise.all([
    import('@aws-sdk/credential-provider-node'),
    import('@aws-sdk/core/client'),
  ]);
  // It would warn on standard error of a Node that it supports still.
  state.warningEmitted = true;
  const silent = (): void => undefined;
  return defaultProvider({
    ...files(environment),
    clientConfig: { region },
    logger: { trace: silent, debug: silent, info: silent, warn: silent, error: silent },
    maxRetries: 1,
  });
}

/** `region` as the site file has it, else as the environment or the profile does, else the one that most servers take. */
export async function regionFrom(given: string | undefined, environment: Environment): Promise<string> {
  const named = [given, environment['AWS_REGION'], environment['AWS_DEFAULT_REGION']].find(isSet);
  if (named !== undefined) return named;
  const { loadSharedConfigFiles } = await import('@smithy/core/config');
  const { profile = 'default', ...where } = files(environment);
  const { configFile, credentialsFile } = await loadSharedConfigFiles(where);
  return configFile[profile]?.['region'] ?? credentialsFile[profile]?.['region'] ?? 'us-east-1';
}

function files(environment: Environment): { profile?: string; filepath?: string; configFilepath?: string } {
  const { AWS_PROFILE: profile, AWS_SHARED_CREDENTIALS_FILE: filepath, AWS_CONFIG_FILE: configFilepath } = environment;
  return {
    ...(isSet(profile) ? { profile } : {}),
    ...(isSet(filepath) ? { filepath } : {}),
    ...(isSet(configFilepath) ? { configFilepath } : {}),
  };
}

/** Its own words are not shown: a process's output may be among them. */
function noCredentials(cause: unknown): DrayError {
  return new DrayError('login-refused', 'S3: expected credentials in the AWS chain, found none that can be used', {
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `aws sts get-caller-identity` shows what the chain finds',
    cause,
  });
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
