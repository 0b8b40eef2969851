import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zip } from '../../shared/zip.mjs';

/**
 * A pure Python wheel (packaging.python.org, binary-distribution-format) of one package.
 * @param {{directory: string, package: string, version: string, summary: string, requires?: readonly string[], script?: string}} project
 *   `directory` holds the package; `script` is a command that runs its `main`
 * @returns {{file: string, content: Buffer}} the wheel's file name and bytes
 */
export function wheel({ directory, package: name, version, summary, requires = [], script }) {
  const source = join(directory, name);
  const modules = readdirSync(source)
    .filter((file) => file.endsWith('.py'))
    .sort()
    .map((file) => ({ name: `${name}/${file}`, content: readFileSync(join(source, file)) }));
  const info = `${name}-${version}.dist-info`;
  const text = (file, lines) => ({ name: `${info}/${file}`, content: Buffer.from(`${lines.join('\n')}\n`) });
  const files = [
    ...modules,
    text('METADATA', [
      'Metadata-Version: 2.1',
      `Name: ${name.replaceAll('_', '-')}`,
      `Version: ${version}`,
      `Summary: ${summary}`,
      'License: Apache-2.0',
      'Requires-Python: >=3.8',
      ...requires.map((requirement) => `Requires-Dist: ${requirement}`),
    ]),
    text('WHEEL', ['Wheel-Version: 1.0', 'Generator: drayage-hello', 'Root-Is-Purelib: true', 'Tag: py3-none-any']),
    ...(script === undefined ? [] : [text('entry_points.txt', ['[console_scripts]', `${script} = ${name}:main`])]),
  ];
  const record = text('RECORD', [...files.map(recordLine), `${info}/RECORD,,`]);
  return { file: `${name}-${version}-py3-none-any.whl`, content: zip([...files, record]) };
}

function recordLine({ name, content }) {
  const digest = createHash('sha256').update(content).digest('base64url');
  return `${name},sha256=${digest},${content.length}`;
}
