import { DrayError } from '../../errors.ts';
import type { SourceEnvironment } from '../source.ts';
import { pythonWithPip, runTool, uv } from './python-tools.ts';

const known = new WeakMap<SourceEnvironment['environment'], Promise<string>>();

/**
 * The public index that pip or uv asks where nobody has named another. It is theirs to know.
 * @throws `manifest-invalid` where neither is installed
 */
export function builtInIndex(env: SourceEnvironment): Promise<string> {
  const found = known.get(env.environment) ?? askTools(env);
  known.set(env.environment, found);
  found.catch(() => known.delete(env.environment));
  return found;
}

const ASK_PIP = 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)';

async function askTools(env: SourceEnvironment): Promise<string> {
  const uvFile = uv(env);
  if (uvFile !== undefined) {
    const words = ['pip', 'compile', '-', '--emit-index-url', '--no-header', '--no-config', '--quiet'];
    const set = {
      UV_DEFAULT_INDEX: undefined,
      UV_INDEX_URL: undefined,
      UV_INDEX: undefined,
      UV_PYTHON_DOWNLOADS: 'never',
    };
    const { output } = await runTool(uvFile, words, env, { input: '\n', set });
    const [, url] = /^--index-url\s+(\S+)/m.exec(output) ?? [];
    if (url !== undefined) return url;
  }
  const python = await pythonWithPip(env);
  if (python !== undefined) {
    const url = (await runTool(python, ['-c', ASK_PIP], env)).output.trim();
    if (URL.canParse(url)) return url;
  }
  throw new DrayError(
    'manifest-invalid',
    'no package index is known: none is named here, none in the settings of pip, and neither uv nor pip is installed',
    {
      hint: 'name one, as `index: https://HOST/simple` in the manifest or `--index-url` in the requirements file',
    },
  );
}
