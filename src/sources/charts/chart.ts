import { DrayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { printable } from '../../io/safe-path.ts';
import { parseRange, parseVersion } from '../../oci/version-range.ts';
import type { ChartContents } from './archive.ts';
import { parseChartLock, parseMetadata, parseRequirements } from './metadata.ts';
import type { ChartLock, ChartMetadata, Dependency } from './metadata.ts';

/** A chart as Helm sees it, packaged or not. */
export interface Chart {
  /** What it is called in messages. */
  readonly subject: string;
  /** With the dependencies of requirements.yaml, where apiVersion v1 has them. */
  readonly metadata: ChartMetadata;
  readonly lock: ChartLock | undefined;
  /** What is in its `charts/`. */
  readonly subcharts: readonly Chart[];
  /**
   * Dependencies that `charts/` has no chart for. Helm asks for every one of them by name, whatever conditions and tags
   * say of it (helm, pkg/action/install.go, CheckDependencies).
   */
  readonly missing: readonly Dependency[];
}

/** Reads what a chart says of itself and of what is in it. @throws the given code, where that cannot be a chart */
export function readChart(subject: string, contents: ChartContents, code: ErrorCode): Chart {
  const { texts } = contents;
  const file = (name: string): string => `${subject}/${name}`;
  const text = texts.get('Chart.yaml');
  if (text === undefined) throw new DrayError(code, `${printable(subject)}: expected a chart, found no Chart.yaml`);
  const metadata = parseMetadata(text, file('Chart.yaml'), code);
  const requirements = texts.get('requirements.yaml');
  const more =
    requirements === undefined ? undefined : parseRequirements(requirements, file('requirements.yaml'), code);
  const dependencies = [...(more ?? metadata.dependencies)];
  const locked = ['Chart.lock', 'requirements.lock'].find((name) => texts.has(name));
  const subcharts = subchartsOf(subject, contents, code);
  return {
    subject,
    metadata: { ...metadata, dependencies },
    lock: locked === undefined ? undefined : parseChartLock(texts.get(locked) ?? '', file(locked), code),
    subcharts,
    missing: dependencies.filter(({ name }) => !subcharts.some(({ metadata }) => metadata.name === name)),
  };
}

/**
 * What Helm takes without a word and an operator would want to know: a subchart that is none of the versions asked for,
 * which then cannot be switched off, and subcharts that lack charts themselves.
 */
export function oddities({ subject, metadata, subcharts }: Chart): readonly string[] {
  const mismatched = metadata.dependencies.flatMap(({ name, version }) => {
    const found = subcharts.filter((chart) => chart.metadata.name === name);
    if (found.length === 0 || found.some((chart) => isInRange(chart.metadata.version, version))) return [];
    const versions = found.map((chart) => printable(chart.metadata.version)).join(', ');
    return [`${printable(subject)}: its charts/ has ${printable(name)} ${versions}, it asks for ${printable(version)}`];
  });
  const lacking = subcharts.flatMap(({ subject, missing }) =>
    missing.length === 0 ? [] : [`${printable(subject)}: its charts/ lacks ${namesOf(missing)}; Helm leaves that out`],
  );
  return [...mismatched, ...lacking, ...subcharts.flatMap(oddities)];
}

export function namesOf(dependencies: readonly Dependency[]): string {
  return dependencies.map(({ name }) => printable(name)).join(', ');
}

/** Does a chart's version lie in a range, as Helm reads both? */
export function isInRange(version: string, range: string): boolean {
  const found = parseVersion(version);
  return found !== undefined && parseRange(range)?.(found) === true;
}

function subchartsOf(subject: string, { texts, packed }: ChartContents, code: ErrorCode): readonly Chart[] {
  const directories = [...texts.keys()].flatMap((name) => /^(charts\/[^/_.][^/]*)\/Chart\.yaml$/.exec(name)?.[1] ?? []);
  const packages = [...packed].filter(([name]) => /^charts\/[^/]+$/.test(name));
  return [
    ...directories.map((name) => readChart(`${subject}/${name}`, below(`${name}/`, { texts, packed }), code)),
    ...packages.map(([name, contents]) => readChart(`${subject}/${name}`, contents, code)),
  ];
}

function below(prefix: string, { texts, packed }: ChartContents): ChartContents {
  const cut = <T>(all: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Map(
      [...all].flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
      ),
    );
  return { texts: cut(texts), packed: cut(packed) };
}
