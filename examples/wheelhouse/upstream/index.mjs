import { serve } from '../../shared/loopback.mjs';
import { publishedWheels } from './wheels.mjs';

/**
 * Two package indexes (PEP 503), `/cu126/` and `/simple/`, and the files that both lead to.
 * @returns {Promise<string>} the URL above both
 */
export function startIndexes() {
  const wheels = publishedWheels();
  const page = (content) => ({ content, headers: { 'content-type': 'text/html' } });
  const file = (content) => ({ content, headers: { 'content-type': 'application/zip' } });
  const answers = new Map([
    ...wheels.map(({ index, project }) => [`/${index}/${project}/`, page(pageOf(wheels, index, project))]),
    ...wheels.map(({ file: name, content }) => [`/files/${name}`, file(content)]),
  ]);
  return serve((path) => answers.get(path));
}

function pageOf(wheels, index, project) {
  const links = wheels
    .filter((one) => one.index === index && one.project === project)
    .map(({ file, sha256, python = '' }) => {
      const requires =
        python === '' ? '' : ` data-requires-python="${python.replaceAll('>', '&gt;').replaceAll('<', '&lt;')}"`;
      return `<a href="/files/${encodeURIComponent(file)}#sha256=${sha256}"${requires}>${file}</a><br>`;
    });
  return Buffer.from(`<!DOCTYPE html><html><body>\n${links.join('\n')}\n</body></html>\n`);
}
