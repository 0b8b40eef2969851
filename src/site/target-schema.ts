import * as z from 'zod';
import { flag, later, listOf, text, textLike } from '../io/yaml/pieces.ts';
import { KINDS } from '../oci/kinds.ts';

/** A target of `site.yaml`, and the options of a `--to` URI: the same keys. One key says what it is. */

export const TARGET_KEYS = [
  'registry',
  's3',
  'modelCache',
  'directory',
  'ociLayout',
  'dockerArchive',
  'containerd',
] as const;
export type TargetKey = (typeof TARGET_KEYS)[number];

export const kind = z.enum(KINDS);

const taking = {
  take: listOf(kind).optional().meta({ description: 'The kinds it gets; each target has its own default.' }),
  group: listOf(text).optional().meta({ description: 'Only what is in one of these groups.' }),
  without: listOf(text).optional().meta({ description: 'Nothing that is in these groups alone.' }),
};

const rename = z.strictObject({
  from: text.meta({ description: 'The beginning of a name, as it is in the bundle.' }),
  to: z.string().meta({ description: 'What stands there instead.' }),
});

/** What follows the host is in lower case, as registries have it. */
const REGISTRY =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*\/?$/;

const caFile = text.optional().meta({ description: 'Certificates to trust for it, PEM.' });

const registry = z.strictObject({
  registry: textLike(REGISTRY, 'HOST[:PORT][/PREFIX] without a scheme, the prefix in lower case').meta({
    description: 'Host and prefix; everything goes below it.',
  }),
  naming: z.enum(['path', 'full', 'name']).optional().meta({
    description: '`path` drops the host (default), `full` makes it the first part, `name` keeps only the last part.',
  }),
  rename: listOf(rename)
    .optional()
    .meta({ description: 'The first match settles a name; `naming` is for the others.' }),
  overwrite: flag.optional().meta({
    description: 'A tag that dray did not put there: `false` stops the load (default), `true` moves it.',
  }),
  caFile,
  certFile: text.optional().meta({ description: 'Client certificate, PEM; with `keyFile`.' }),
  keyFile: text.optional().meta({ description: 'Key of the client certificate, PEM; with `certFile`.' }),
  plainHttp: flag.optional().meta({ description: 'No TLS. A registry on a loopback address is tried so by itself.' }),
  ...taking,
  createRepository: later(text, 'A command that makes a repository; it gets the name (ECR).'),
  convert: later(z.enum(['oci']), 'Docker schema 2 becomes OCI; digests change and are recorded.'),
});

const s3 = z.strictObject({
  s3: text.meta({ description: 'Bucket and prefix: BUCKET[/PREFIX]; everything goes below it.' }),
  endpoint: text.optional().meta({ description: 'The URL of the service; without one, AWS.' }),
  region: text.optional().meta({ description: 'The region, for example us-east-1.' }),
  pathStyle: flag.optional().meta({ description: 'Default `true` where there is an `endpoint`.' }),
  createBucket: flag.optional().meta({ description: 'Make the bucket where it is missing.' }),
  layout: z
    .enum(['plain', 'tao', 'nim', 'oci'])
    .optional()
    .meta({ description: '`plain` (names as they are; default). The others are not supported yet.' }),
  readBack: z.enum(['head']).optional().meta({
    description: '`head`: where the server returns no checksum, size alone will do; else what was sent is read back.',
  }),
  caFile,
  ...taking,
});

const modelCache = z.strictObject({
  modelCache: text.meta({ description: 'A directory; each model below its name.' }),
  layout: z.enum(['hf', 'nim', 'plain', 'triton', 'ollama', 'tao']).optional().meta({
    description:
      '`plain` (names as they are; default), or `hf` (the cache of huggingface_hub). The others are not supported yet.',
  }),
  ...taking,
});

const directory = z.strictObject({
  directory: text.meta({ description: 'A directory: ordinary files under ordinary names.' }),
  ...taking,
});

const ociLayout = z.strictObject({ ociLayout: text.meta({ description: 'An OCI layout directory.' }), ...taking });

const dockerArchive = z.strictObject({
  dockerArchive: text.meta({ description: 'Not supported yet. A file for `docker load`, `podman load`.', later: true }),
  ...taking,
});

const containerd = z.strictObject({
  containerd: text.meta({ description: 'Not supported yet. A namespace of containerd.', later: true }),
  ...taking,
});

export const TARGETS = {
  registry,
  s3,
  modelCache,
  directory,
  ociLayout,
  dockerArchive,
  containerd,
} as const satisfies Record<TargetKey, z.ZodObject>;

/** What is taken where nothing is said. */
export const TAKES = {
  registry: ['images', 'charts'],
  s3: ['models', 'files'],
  modelCache: ['models'],
  directory: ['wheels', 'files'],
  ociLayout: KINDS,
  dockerArchive: ['images'],
  containerd: ['images'],
} as const satisfies Record<TargetKey, readonly (typeof KINDS)[number][]>;
