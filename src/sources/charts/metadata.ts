import * as z from 'zod';
import type { ErrorCode } from '../../errors.ts';
import { parseYaml } from '../../io/yaml/yaml.ts';
import { parseVersion } from '../../oci/version-range.ts';

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

/** One of the charts that a chart says it is made of. */
export type Dependency = z.infer<typeof Dependency>;
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
  version: scalar.refine((version) => parseVersion(version) !== undefined, {
    error: 'expected a semantic version',
  }),
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

const Requirements = z.object({ dependencies: z.array(Dependency).nullish() });

const Lock = z.object({
  dependencies: list(z.object({ name: line, version: line, repository: raw })),
  digest: raw,
});

/** `Chart.lock`, or `requirements.lock`: the versions that `helm dependency update` came to. */
export type ChartLock = z.infer<typeof Lock>;

/** Reads the text of a Chart.yaml. `file` is for messages. @throws the given code */
export function parseMetadata(text: string, file: string, code: ErrorCode): ChartMetadata {
  return parse(text, file, Metadata, code);
}

/** Reads the text of a requirements.yaml, where apiVersion v1 names dependencies. @throws the given code */
export function parseRequirements(text: string, file: string, code: ErrorCode): readonly Dependency[] | undefined {
  return parse(text, file, Requirements, code).dependencies ?? undefined;
}

/** @throws the given code */
export function parseChartLock(text: string, file: string, code: ErrorCode): ChartLock {
  return parse(text, file, Lock, code);
}

function parse<T>(text: string, file: string, schema: z.ZodType<T>, code: ErrorCode): T {
  return parseYaml(text.replace(/^\ufeff/, ''), { file, schema, code, scalars: 'typed', aliases: 'bounded' });
}
