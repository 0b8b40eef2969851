import { createHash } from 'node:crypto';
import { zip } from '../../shared/zip.mjs';

const LINUX = ['manylinux_2_28_x86_64', 'manylinux_2_28_aarch64'];
const PYTHONS = ['cp311', 'cp312'];
const NATIVE = PYTHONS.flatMap((python) =>
  [...LINUX, 'win_amd64'].map((platform) => `${python}-${python}-${platform}`),
);
const PURE = ['py3-none-any'];

/** Small stand-ins under the real names: what they need of one another is as it really is, what they do is nothing. */
const PROJECTS = [
  {
    index: 'cu126',
    name: 'torch',
    version: '2.6.0+cu126',
    tags: NATIVE,
    requires: ['filelock', 'sympy==1.13.1; python_version>="3.9"', 'typing-extensions>=4.10.0'],
  },
  { index: 'simple', name: 'torch', version: '2.6.0', tags: NATIVE },
  { index: 'simple', name: 'filelock', version: '3.20.0', tags: PURE, python: '>=3.10' },
  { index: 'simple', name: 'sympy', version: '1.13.1', tags: PURE, python: '>=3.8', requires: ['mpmath<1.4,>=1.1.0'] },
  { index: 'simple', name: 'mpmath', version: '1.3.0', tags: PURE },
  { index: 'simple', name: 'typing-extensions', version: '4.15.0', tags: PURE, python: '>=3.9' },
  {
    index: 'simple',
    name: 'safetensors',
    version: '0.6.2',
    tags: [...LINUX, 'win_amd64'].map((platform) => `cp38-abi3-${platform}`),
    python: '>=3.9',
  },
  { index: 'simple', name: 'colorama', version: '0.4.6', tags: PURE },
  {
    index: 'simple',
    name: 'fastapi',
    version: '0.118.0',
    tags: PURE,
    python: '>=3.8',
    requires: ['starlette<0.49.0,>=0.40.0'],
  },
  { index: 'simple', name: 'starlette', version: '0.48.0', tags: PURE, python: '>=3.9' },
];

/** @returns {{index: string, project: string, file: string, python: string | undefined, content: Buffer, sha256: string}[]} */
export function publishedWheels() {
  return PROJECTS.flatMap((project) =>
    project.tags.map((tag) => {
      const file = `${project.name.replaceAll('-', '_')}-${project.version}-${tag}.whl`;
      const content = wheel(project, tag);
      const sha256 = createHash('sha256').update(content).digest('hex');
      return { index: project.index, project: project.name, file, python: project.python, content, sha256 };
    }),
  );
}

/** The same bytes each time: requirements.txt and pylock.toml have their digests. */
function wheel({ name, version, requires = [], python }, tag) {
  const module = name.replaceAll('-', '_');
  const info = `${module}-${version}.dist-info`;
  const text = (path, lines) => ({ name: path, content: Buffer.from(`${lines.join('\n')}\n`) });
  const files = [
    text(`${module}/__init__.py`, [`__version__ = "${version}"`, `built_for = "${tag}"`]),
    text(`${info}/METADATA`, [
      'Metadata-Version: 2.1',
      `Name: ${name}`,
      `Version: ${version}`,
      'Summary: a stand-in',
      ...(python === undefined ? [] : [`Requires-Python: ${python}`]),
      ...requires.map((one) => `Requires-Dist: ${one}`),
    ]),
    text(`${info}/WHEEL`, ['Wheel-Version: 1.0', 'Generator: drayage-example', 'Root-Is-Purelib: true', `Tag: ${tag}`]),
  ];
  const lines = files.map(
    ({ name: path, content }) =>
      `${path},sha256=${createHash('sha256').update(content).digest('base64url')},${content.length}`,
  );
  return zip([...files, text(`${info}/RECORD`, [...lines, `${info}/RECORD,,`])]);
}
