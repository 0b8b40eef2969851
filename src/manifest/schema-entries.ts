import * as z from 'zod';
import { flag, later, listOf, text, textLike } from '../io/yaml/pieces.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Origin } from './manifest.ts';

/**
 * The entries of the five lists, key by key as docs/manifest.md has them. Every key that was promised is known here, with
 * its form; those marked `later` are answered with "not supported yet".
 */

const group = listOf(text)
  .optional()
  .meta({ description: 'The group, or several: it is left out only where all of them are.' });
const as = (says: string): z.ZodOptional<typeof text> => text.optional().meta({ description: says });
const groups = { group };

const PLATFORM = /^(?:all|[a-z0-9_.-]+(?:\([0-9][0-9.]{0,40}\))?\/[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)?)$/;
export const platforms = listOf(textLike(PLATFORM, 'all, or os/architecture[/variant], for example linux/amd64'));

const huggingFace = {
  revision: text.optional().meta({ description: 'Of `hf`: a branch, a tag or a commit (default: main).' }),
  include: listOf(text).optional().meta({ description: 'Of `hf`: globs of the files to carry (default: all).' }),
  exclude: listOf(text).optional().meta({ description: 'Of `hf`: globs of the files to leave out.' }),
};

const images = z.strictObject({
  ref: text
    .optional()
    .meta({ description: 'HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…, as `docker pull` takes it.' }),
  path: text.optional().meta({
    description:
      'An image archive (docker save, OCI layout, imgpkg; plain, gzip or zstd) or an OCI layout directory, told apart by content.',
  }),
  list: text
    .optional()
    .meta({ description: 'A file with one reference a line, # comments; the other keys hold for every line.' }),
  as: as('Carried under this reference; with a final slash: put before the names found inside.'),
  ...groups,
  platforms: platforms.optional().meta({
    description: '`all` (untouched), or one platform or several, instead of what the top of the manifest says.',
  }),
  referrers: flag.optional().meta({
    description: 'Signatures, attestations and SBOMs (default: true).',
  }),
  track: text
    .optional()
    .meta({ description: '`lock --upgrade` may go to the newest tag of this range, for example ~2.6.' }),
  foreignLayers: flag.optional().meta({
    description: 'Carry layers that upstream says to fetch from elsewhere (default: false, they are an error).',
  }),
});

const charts = z.strictObject({
  ref: textLike(/^oci:\/\//, 'oci://HOST/REPOSITORY:VERSION')
    .optional()
    .meta({
      description: 'oci://HOST/REPOSITORY:VERSION, as `helm pull` takes it, or with @sha256:….',
    }),
  path: text.optional().meta({ description: 'A chart directory or a .tgz.' }),
  repo: textLike(/^(?:https?|oci):\/\/[^/]/, 'https://… or oci://…')
    .optional()
    .meta({ description: 'A chart repository, https://… or oci://…, with `name` and `version`.' }),
  as: as('Carried under this name.'),
  ...groups,
  name: text.optional().meta({ description: 'The name of the chart in its repository.' }),
  version: text.optional().meta({
    description: 'A version or a range, for example ~25.10, as Helm reads it; default: the newest release.',
  }),
  vendor: flag.optional().meta({
    description: 'Build a new .tgz where the published one lacks charts that it depends on (default: false, an error).',
  }),
  referrers: flag.optional().meta({
    description: 'Of a chart in a registry: signatures, attestations and SBOMs (default: true).',
  }),
});

/** Without `any`, which runs everywhere (packaging.python.org, platform-compatibility-tags). */
const WHEEL_PLATFORM =
  /^(?:(?:manylinux(?:1|2010|2014|_2_[0-9]{1,3})|musllinux_[0-9]{1,2}_[0-9]{1,3}|linux)_[a-z0-9_]{1,20}|macosx_[0-9]{1,2}_[0-9]{1,2}_(?:arm64|x86_64)|win32|win_amd64|win_arm64)$/;

/** An editor reads it as a number. */
const PYTHON = textLike(/^3\.(?:[89]|[1-9][0-9])(?:\.[0-9]{1,2})?$/, 'a Python version, for example 3.12').meta({
  type: ['string', 'number'],
});

const wheels = z.strictObject({
  path: text.optional().meta({ description: 'A directory of .whl files.' }),
  requirements: listOf(text)
    .optional()
    .meta({ description: 'requirements.txt, pylock.toml or uv.lock, told apart by name; or several.' }),
  name: text
    .optional()
    .meta({ description: "The wheelhouse's name in the enclave; of a path its last name if left out." }),
  ...groups,
  python: listOf(PYTHON)
    .optional()
    .meta({ description: 'Of `requirements`: the Python version, or several, for example 3.12.' }),
  platforms: listOf(textLike(WHEEL_PLATFORM, 'a platform tag of wheels, for example manylinux_2_28_x86_64'))
    .optional()
    .meta({
      description:
        'Of `requirements`: platform tags, as for pip, for example manylinux_2_28_x86_64; default: those that fit the top of the manifest.',
    }),
  index: listOf(textLike(/^https?:\/\/[^/]/, 'http:// or https:// and a host'))
    .optional()
    .meta({
      description:
        "Of `requirements`: package indexes; the first that has a package wins. Default: pip's own settings.",
    }),
});

const models = z.strictObject({
  path: text.optional().meta({ description: "A directory with the model's files." }),
  hf: text.optional().meta({ description: 'A model on Hugging Face, ORG/NAME[@REVISION].' }),
  ngc: text.optional().meta({ description: 'A model on NGC, ORG[/TEAM]/NAME[:VERSION] (default: its latest).' }),
  nim: later(text, 'A NIM image and, of its model profiles, those that match.'),
  tao: later(text.nullable(), "TAO's list of pretrained models, a CSV file."),
  as: as("The model's name in the enclave; with a final slash: put before its own name."),
  ...groups,
  ...huggingFace,
  gpus: later(listOf(text), 'NIM profiles for these GPUs, for example h100.'),
  precision: later(listOf(text), 'NIM profiles of this precision, for example fp8.'),
  engine: later(listOf(text), 'NIM profiles of this engine, for example tensorrt_llm.'),
  tensorParallelism: later(listOf(text), 'NIM profiles of this tensor parallelism, for example 2.'),
  qosProfile: later(listOf(text), 'NIM profiles for throughput or latency.'),
  lora: later(text, 'NIM profiles with or without LoRA: true or false.'),
  profiles: later(listOf(text), '`all`, or the ids of NIM profiles.'),
  nimCache: later(text, "A NIM Operator's NIMCache, which has the selection."),
  networkArch: later(listOf(text), "Of TAO's list those of this network_arch."),
  orgTeams: later(listOf(text), 'TAO: these ORG/TEAM instead of a list.'),
  metadata: later(text, 'TAO: a ptm_metadatas.json, or a prepared airgapped-models/.'),
  refusePickle: flag.optional().meta({
    description: 'Pickled weights are an error, because loading them runs code (default: false, a warning).',
  }),
});

const files = z.strictObject({
  path: text.optional().meta({ description: 'A file, a directory or a glob.' }),
  url: textLike(/^https?:\/\/[^/]/, 'http:// or https:// and a host')
    .optional()
    .meta({ description: 'A URL, http:// or https://.' }),
  ngc: text.optional().meta({ description: 'A resource on NGC, ORG[/TEAM]/NAME[:VERSION] (default: its latest).' }),
  hf: text.optional().meta({ description: 'A dataset on Hugging Face, datasets/ORG/NAME[@REVISION].' }),
  as: as('Where it goes, below the target; with a final slash a directory; `.` is straight below.'),
  ...groups,
  sha256: textLike(/^(?:sha256:)?[0-9a-fA-F]{64}$/, '64 hexadecimal digits')
    .optional()
    .meta({
      description: 'The SHA-256 that a `url` must serve; optional here, always in the lock.',
      type: ['string', 'number'],
    }),
  ...huggingFace,
  extract: later(flag, "Unpack the resource's archives at the target."),
});

/** One key of these says where an entry comes from. */
export const CHOICES = {
  images: ['ref', 'path', 'list'],
  charts: ['ref', 'repo', 'path'],
  wheels: ['requirements', 'path'],
  models: ['hf', 'ngc', 'nim', 'tao', 'path'],
  files: ['path', 'url', 'ngc', 'hf'],
} as const satisfies Record<Kind, readonly Origin[]>;

/** In JSON Schema: exactly one of them. What reads the manifest says it better. */
function oneOrigin<T extends z.ZodType>(schema: T, kind: Kind): T {
  return schema.meta({ id: `${kind}-entry`, oneOf: CHOICES[kind].map((origin) => ({ required: [origin] })) });
}

export const ENTRIES = {
  images: oneOrigin(images, 'images'),
  charts: oneOrigin(charts, 'charts'),
  wheels: oneOrigin(wheels, 'wheels'),
  models: oneOrigin(models, 'models'),
  files: oneOrigin(files, 'files'),
} as const;
