import * as z from 'zod';
import { DrayError } from '../../errors.ts';
import { normaliseProject } from '../../oci/wheel-name.ts';
import type { SourceEnvironment } from '../source.ts';
import { demandDone } from './compilation.ts';
import type { Compilation } from './compilation.ts';
import { hashesIn } from './hashes.ts';
import { runTool } from './python-tools.ts';
import { platformsFor } from './tags.ts';
import type { Wanted } from './wanted.ts';

/**
 * pip evaluates markers for the Python that it runs in, whatever `--python-version` and `--platform` say (pip, issue 11664); so its own
 * library is told what that is. Where a later pip has none like it, this fails, and says so.
 */
const PIP_ELSEWHERE = `
import json, os, sys
import pip._vendor.packaging.markers as markers
there = json.loads(os.environ.pop('DRAY_MARKERS'))
markers.default_environment
markers.default_environment = lambda: dict(there)
from pip._internal.cli.main import main
sys.exit(main(sys.argv[1:]))
`;

const Report = z.looseObject({
  install: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), version: z.string() }),
      download_info: z.looseObject({
        archive_info: z
          .looseObject({ hash: z.string().nullish(), hashes: z.record(z.string(), z.string()).nullish() })
          .optional(),
      }),
    }),
  ),
});

/** `pip install --dry-run --report`: what pip would install there. @throws `manifest-invalid` */
export async function compileWithPip(
  python: string,
  compilation: Compilation,
  env: SourceEnvironment,
): Promise<readonly Wanted[]> {
  const { directory, target, pre } = compilation;
  const words = [
    ...['-c', PIP_ELSEWHERE, 'install', '--dry-run', '--ignore-installed', '--quiet', '--no-input', '--report', '-'],
    ...['--only-binary=:all:', '--target', 'target', '--implementation', 'cp', '--python-version', target.python],
    ...(platformsFor(target.platform) ?? []).flatMap((platform) => ['--platform', platform]),
    ...['--requirement', 'requirements.in', '--constraint', 'constraints.txt', ...(pre ? ['--pre'] : [])],
  ];
  const done = await runTool(python, words, env, { cwd: directory, set: settings(compilation) });
  demandDone('pip', done, compilation);
  const report = Report.safeParse(parseJson(done.output));
  if (!report.success)
    throw new DrayError('manifest-invalid', 'pip answered something else than a report', {
      hint: 'a newer pip may do: `python3 -m pip install --upgrade pip`, or uv',
    });
  return report.data.install.map(({ metadata, download_info: { archive_info: archive } }) => ({
    project: normaliseProject(metadata.name),
    version: metadata.version,
    hashes: hashesIn(
      Object.entries(archive?.hashes ?? {})
        .map(([name, hex]) => `${name}:${hex}`)
        .filter((hash) => /^sha(?:256|384|512):/.test(hash)),
      (said) => new DrayError('upstream-invalid', `${metadata.name}: ${said}`),
    ),
    ...{ offers: undefined, extras: [], place: 'pip' },
  }));
}

/** What is said here goes before the files of pip's settings, of which the rest still holds: certificates, proxies. */
function settings({ indexes: { indexes, pages }, target }: Compilation): Readonly<Record<string, string | undefined>> {
  const [first, ...others] = indexes.map(({ withLogin }) => withLogin);
  return {
    DRAY_MARKERS: JSON.stringify(target.environment.values),
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_INDEX_URL: first,
    // What is empty would not go before anything.
    PIP_EXTRA_INDEX_URL: others.length > 0 ? others.join(' ') : first,
    PIP_NO_INDEX: first === undefined ? '1' : undefined,
    PIP_FIND_LINKS: pages.length === 0 ? undefined : pages.map(({ withLogin }) => withLogin).join(' '),
    ...{
      PIP_TARGET: undefined,
      PIP_CONSTRAINT: undefined,
      PIP_REQUIREMENT: undefined,
      PIP_PRE: undefined,
      PIP_REQUIRE_HASHES: undefined,
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
