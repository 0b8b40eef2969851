import type { ArtifactSummary } from '../actions/results.ts';
import { printable } from '../io/safe-path.ts';
import type { About } from '../oci/shapes.ts';
import { countOf, indent, sizeOf, table, wrapped } from './page.ts';
import type { Page } from './page.ts';

const UNITS = ['', 'K', 'M', 'B', 'T', 'P'];
/** Digits of a commit, for people; a pipe gets all. */
const COMMIT = 12;

/** What is asked of a model before its transfer is approved: a line of facts; below it where it is from, and what can run code. */
export function modelTable(models: readonly ArtifactSummary[], page: Page): string {
  if (models.length === 0) return '';
  const title = ['model', 'formats', 'parameters', 'dtypes', 'size', 'licence'].map((text) => ({
    text,
    style: page.dim,
    ...(text === 'parameters' || text === 'size' ? { right: true } : {}),
  }));
  const rows = models.map(({ name, size, about: { formats = [], parameters = {}, licence = 'not stated' } = {} }) => [
    { text: name, flexible: true },
    { text: formats.join(', '), flexible: true },
    { text: elementsOf(parameters), right: true },
    { text: dtypesOf(parameters), flexible: true },
    { text: sizeOf(size), right: true },
    { text: licence, flexible: true },
  ]);
  const [head = '', ...lines] = table(page, [title, ...rows]).split(/(?<=\n)/);
  return head + models.map((model, at) => `${lines[at] ?? ''}${below(model, page)}`).join('');
}

function below({ from, about = {} }: ArtifactSummary, page: Page): string {
  const { commit, revision, pickled } = about;
  const facts = [
    [{ text: 'from', style: page.dim }, { text: from, flexible: true }, ...commitCells(commit, revision, page)],
  ];
  return indent(table({ ...page, width: page.width - 2 }, facts)) + pickledLines(pickled, page);
}

function commitCells(
  commit: string | undefined,
  revision: string | undefined,
  page: Page,
): readonly { readonly text: string; readonly flexible?: boolean }[] {
  const short = Number.isFinite(page.width) ? commit?.slice(0, COMMIT) : commit;
  return [
    ...(revision === undefined || revision === commit ? [] : [{ text: `revision ${revision}`, flexible: true }]),
    ...(short === undefined ? [] : [{ text: `commit ${short}` }]),
  ];
}

/** Every pickled file that is known by name. */
function pickledLines(pickled: About['pickled'], page: Page): string {
  if (pickled === undefined) return '';
  const { count, files } = pickled;
  const more = count > files.length ? `, and ${count - files.length} more` : '';
  const text = `${countOf(count, 'pickled file')} can run code when loaded: ${files.map(printable).join(', ')}${more}`;
  return wrapped(page, text, { first: `  ${page.yellow('warning')}  `, width: 11 });
}

function dtypesOf(parameters: NonNullable<About['parameters']>): string {
  const byShare = Object.entries(parameters).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return byShare.map(([dtype]) => dtype).join(', ');
}

function elementsOf(parameters: NonNullable<About['parameters']>): string {
  const counts = Object.values(parameters);
  return counts.length === 0 ? '' : magnitudeOf(counts.reduce((sum, count) => sum + count, 0));
}

/** As model cards write it, three digits: `512`, `137 M`, `8.03 B`. */
export function magnitudeOf(count: number): string {
  if (count < 1000) return String(count);
  const [digits = '', power = ''] = count.toExponential(2).split('e+');
  const exponent = Number(power);
  return `${(Number(digits) * 10 ** (exponent % 3)).toPrecision(3)} ${UNITS[Math.floor(exponent / 3)] ?? ''}`;
}
