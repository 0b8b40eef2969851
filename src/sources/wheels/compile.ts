import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DrayError } from '../../errors.ts';
import type { LockedArtifact } from '../../manifest/lock.ts';
import { parseWheelName } from '../../oci/wheel-name.ts';
import type { SourceEnvironment } from '../source.ts';
import type { PackageIndexes } from './indexes.ts';
import type { Compilation } from './compilation.ts';
import { compileWithPip } from './compile-pip.ts';
import { compileWithUv, uvPlatform } from './compile-uv.ts';
import { pythonWithPip, uv } from './python-tools.ts';
import type { WheelTarget } from './target.ts';
import type { Wanted } from './wanted.ts';
import { placeOf } from './hashed.ts';
import type { WrittenRequirement, WrittenRequirements } from './written.ts';

/**
 * Resolves requirements without hashes for a target, once, through uv or else pip: dray itself resolves nothing.
 * @throws `manifest-invalid` where there is no solution, or neither is installed
 */
export async function compile(
  all: readonly WrittenRequirements[],
  target: WheelTarget,
  indexes: PackageIndexes,
  env: SourceEnvironment,
): Promise<readonly Wanted[]> {
  const holds = ({ marker }: WrittenRequirement): boolean => marker === undefined || marker(target.environment);
  const directory = await mkdtemp(join(tmpdir(), 'dray-'));
  try {
    const compilation: Compilation = {
      requirements: all.flatMap(({ requirements }) => requirements).filter(holds),
      constraints: all.flatMap(({ constraints }) => constraints).filter(holds),
      pre: all.some(({ pre }) => pre),
      ...{ target, indexes, directory, preferred: preferredBy(env) },
    };
    if (compilation.requirements.length === 0) return [];
    await writeFile(join(directory, 'requirements.in'), linesOf(compilation.requirements), { mode: 0o600 });
    await writeFile(join(directory, 'constraints.txt'), linesOf(compilation.constraints), { mode: 0o600 });
    return withExtras(await compileThere(compilation, env), compilation);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function compileThere(compilation: Compilation, env: SourceEnvironment): Promise<readonly Wanted[]> {
  const { target } = compilation;
  const uvFile = uvPlatform(target.platform) === undefined ? undefined : uv(env);
  const python = uvFile === undefined ? await pythonWithPip(env) : undefined;
  const tell = (tool: string): void =>
    env.ctx.report({ type: 'detail', message: `resolving for ${target.label} with ${tool}` });
  if (uvFile !== undefined) {
    tell('uv');
    return compileWithUv(uvFile, compilation, env);
  }
  if (python === undefined) throw nobody(compilation);
  tell('pip');
  return compileWithPip(python, compilation, env);
}

function nobody({ requirements, target }: Compilation): DrayError {
  const [first] = requirements;
  const file = first?.place.file ?? 'requirements.txt';
  const platform = uvPlatform(target.platform);
  const words = `uv pip compile --generate-hashes --only-binary :all: --python-version ${target.python} --python-platform ${platform ?? target.platform} ${file} -o locked.txt`;
  const subject = first === undefined ? file : `${placeOf(first)}: ${first.project}`;
  return new DrayError(
    'manifest-invalid',
    `${subject} is not pinned with a hash, and neither uv nor pip is installed here to resolve it`,
    {
      hint: `install one of them, or run this where uv is: ${words}; and name locked.txt instead`,
    },
  );
}

/** What the lock has so far moves no further than the requirements make it; all of it, for an upgrade. */
function preferredBy({ previous = [], upgrade }: SourceEnvironment): readonly string[] {
  return upgrade === true ? [] : pinsOf(previous);
}

function pinsOf(artifacts: readonly LockedArtifact[]): readonly string[] {
  const names = artifacts.flatMap(({ blobs }) => blobs).flatMap(({ title = '' }) => parseWheelName(title) ?? []);
  return [...new Set(names.map(({ project, version }) => `${project}==${version}`))];
}

function linesOf(requirements: readonly WrittenRequirement[]): string {
  return requirements.map(({ text }) => `${text}\n`).join('');
}

/** What was asked for knows its extras, what came with it does not. */
function withExtras(found: readonly Wanted[], { requirements }: Compilation): readonly Wanted[] {
  return found.map((wanted) => {
    const asked = requirements.filter(({ project }) => project === wanted.project);
    const place = asked[0] === undefined ? wanted.place : placeOf(asked[0]);
    return { ...wanted, place, extras: [...new Set(asked.flatMap(({ extras }) => extras))] };
  });
}
