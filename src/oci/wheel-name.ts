/** What a wheel's file name says (packaging.python.org, binary-distribution-format): the only part of a wheel that installers choose by. */
export interface WheelName {
  /** Normalised, as indexes and pages are named: `ruamel-yaml`. */
  readonly project: string;
  /** As written. */
  readonly version: string;
  /** Of two wheels that differ in nothing else the higher is taken; without one it is lower than any. */
  readonly build: readonly [number: number, rest: string] | undefined;
  /** `cp312-abi3-manylinux_2_17_x86_64`, each combination once. */
  readonly tags: readonly string[];
}

/** The characters as `packaging.utils.parse_wheel_filename` takes them. */
const WHEEL_NAME =
  /^(?![^-]*__)([\p{L}\p{Nd}_.]+)-([vV]?\d[A-Za-z0-9_.!+]*)(?:-(\d+)([A-Za-z0-9_.]*))?-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)\.whl$/u;

/** More combinations than any wheel has: names come from outside. */
const MOST_TAGS = 1024;

/** Undefined for what no installer takes for a wheel's name. */
export function parseWheelName(name: string): WheelName | undefined {
  const found = WHEEL_NAME.exec(name);
  if (found === null) return undefined;
  const [, distribution = '', version = '', number, rest = '', python = '', abi = '', platform = ''] = found;
  const [pythons, abis, platforms] = [python, abi, platform].map((set) => set.toLowerCase().split('.'));
  if (pythons === undefined || abis === undefined || platforms === undefined) return undefined;
  if (pythons.length * abis.length * platforms.length > MOST_TAGS) return undefined;
  return {
    project: normaliseProject(distribution),
    version,
    build: number === undefined ? undefined : [Number(number), rest],
    tags: pythons.flatMap((one) => abis.flatMap((other) => platforms.map((third) => `${one}-${other}-${third}`))),
  };
}

/** PEP 503: two spellings of one project have one name. */
export function normaliseProject(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

/** Is this a project's name once it is normalised? Only such a one becomes a part of a URL or a path. */
export function isProject(name: string): boolean {
  return name.length <= 200 && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(name);
}
