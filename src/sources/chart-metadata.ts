import * as z from 'zod';
import { DrayError } from '../errors.ts';
import { printable } from '../io/safe-path.ts';
import { parseYaml } from '../io/yaml.ts';

/** What is looked at in a chart, packaged or not: the names of its files below its top directory, and the text of some. */
export interface ChartListing {
  readonly names: readonly string[];
  /** By name: those of `isChartMetadata`. */
  readonly texts: ReadonlyMap<string, string>;
}

/** In bytes: more than any Chart.yaml has. */
export const METADATA_LIMIT = 1024 * 1024;

/** `Chart.yaml` of a chart and of those in its `charts/`; `requirements.yaml`, where apiVersion v1 names dependencies. */
export function isChartMetadata(name: string): boolean {
  return /^(?:charts\/[^/]+\/)?Chart\.yaml$|^requirements\.yaml$/.test(name);
}

/** Helm makes text of any scalar: of `1.10` that is no text, `1.1`. */
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const raw = scalar.nullish().transform((text) => text ?? '');
/** What is not printed is dropped, white space is blanks (helm, pkg/chart/v2/metadata.go, sanitizeString). */
const line = raw.transform((text) =>
  text.replace(/[\t-\r\u0085\p{Z}]/gu, ' ').replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, ''),
);
/** YAML 1.1 as Helm reads it has more than one word for true. */
const flag = raw.transform((text) => /^(?:true|yes|on|y)$/i.test(text));
const list = <T extends z.ZodType>(item: T): z.ZodType<z.output<T>[]> =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);

const Dependency = z.object({
  name: line,
  version: line,
  repository: line,
  condition: line,
  tags: list(line),
  enabled: flag,
  'import-values': list(z.union([scalar, z.object({ child: raw, parent: raw })])),
  alias: raw,
});

const Metadata = z.object({
  name: scalar.pipe(
    z.string().regex(/^(?!.*\.\.)[a-z0-9][a-z0-9._-]*$/i, { error: 'expected a name of letters, digits and . _ -' }),
  ),
  home: line,
  sources: list(line),
  version: scalar.pipe(
    z.string().regex(/^v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/, {
      error: 'expected a semantic version',
    }),
  ),
  description: line,
  keywords: list(line),
  maintainers: list(z.object({ name: line, email: line, url: line })),
  icon: line,
  apiVersion: raw.transform((version) => (version === '' ? 'v1' : version)),
  condition: line,
  tags: line,
  appVersion: line,
  deprecated: flag,
  annotations: z
    .record(z.string(), raw)
    .nullish()
    .transform((annotations) => annotations ?? {}),
  kubeVersion: line,
  dependencies: list(Dependency),
  type: raw,
});

/** Chart.yaml as Helm reads it (helm, pkg/chart/v2/metadata.go); what it leaves open is empty. */
export type ChartMetadata = z.infer<typeof Metadata>;

/**
 * Reads what a chart says of itself. `subject` is its path, for messages.
 * @throws `manifest-invalid` where it says too little, or `charts/` lacks a dependency that it names
 */
export function readChart(subject: string, { names, texts }: ChartListing): ChartMetadata {
  const text = texts.get('Chart.yaml');
  if (text === undefined)
    throw new DrayError('manifest-invalid', `${printable(subject)}: expected a chart, found no Chart.yaml`);
  const metadata = parse(`${subject}/Chart.yaml`, text, Metadata);
  const requirements = texts.get('requirements.yaml');
  const more =
    requirements === undefined ? undefined : parse(`${subject}/requirements.yaml`, requirements, Requirements);
  const dependencies = more?.dependencies ?? metadata.dependencies;
  const missing = dependencies.filter(({ name }) => !present(name, subject, { names, texts }));
  if (missing.length > 0) {
    const list = missing.map(({ name }) => printable(name)).join(', ');
    throw new DrayError(
      'manifest-invalid',
      `${printable(subject)}: its charts/ lacks ${list}, which Chart.yaml names`,
      {
        hint: 'run `helm dependency build` on the chart first',
      },
    );
  }
  return { ...metadata, dependencies };
}

const Requirements = z.object({ dependencies: z.array(Dependency).optional() });
const Named = z.object({ name: scalar });

function parse<T>(file: string, text: string, schema: z.ZodType<T>): T {
  return parseYaml(text.replace(/^\ufeff/, ''), {
    file,
    schema,
    code: 'manifest-invalid',
    scalars: 'typed',
    aliases: 'bounded',
  });
}

/** Is a chart of this name in `charts/`, as `NAME-VERSION.tgz` or as a directory whose Chart.yaml says so? */
function present(name: string, subject: string, { names, texts }: ChartListing): boolean {
  return names.some((path) => {
    const [, archive] = /^charts\/([^/_.][^/]*)\.tgz$/.exec(path) ?? [];
    if (archive !== undefined) return archive.startsWith(`${name}-`) && /^v?\d/.test(archive.slice(name.length + 1));
    const text = /^charts\/[^/_.][^/]*\/Chart\.yaml$/.test(path) ? texts.get(path) : undefined;
    return text !== undefined && parse(`${subject}/${path}`, text, Named).name === name;
  });
}
