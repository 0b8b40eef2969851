import type { Finding } from '../actions/results.ts';
import { printable } from '../io/safe-path.ts';
import { indent, shortDigest } from './page.ts';
import type { Page } from './page.ts';

/** Findings as a tree: medium, volume, chunk, blob, artifact; and at the end the media to burn again, once each. */
export function formatFindings(findings: readonly Finding[], page: Page): string {
  const media = [...groupBy(findings, ({ medium }) => medium ?? '')];
  const damaged = media
    .filter(([medium, list]) => medium !== '' && list.some(isDamage))
    .map(([medium]) => printable(medium));
  const again = damaged.length === 0 ? '' : `${page.bold('copy or burn again:')} ${damaged.join(', ')}\n`;
  return media.map(([medium, list]) => branch(medium, ofMedium(list, page), page)).join('') + again;
}

/** Damage is mended by a copy; a wrong key or a missing volume is not. */
function isDamage({ severity, code }: Finding): boolean {
  return severity === 'error' && (code === 'content-damaged' || code === 'bundle-invalid');
}

function ofMedium(findings: readonly Finding[], page: Page): string {
  return [...groupBy(findings, ({ volume }) => volume ?? '')]
    .map(([volume, list]) => branch(volume, list.map((finding) => leaf(finding, page)).join(''), page))
    .join('');
}

function branch(name: string, inside: string, page: Page): string {
  return name === '' ? inside : `${page.bold(printable(name))}\n${indent(inside)}`;
}

function leaf({ severity, message, chunk, blob, artifact, hint }: Finding, page: Page): string {
  const place = [
    ...(chunk === undefined ? [] : [`chunk ${chunk}`]),
    ...(blob === undefined ? [] : [`blob ${shortDigest(blob)}`]),
    ...(artifact === undefined ? [] : [artifact]),
  ];
  const word = severity === 'error' ? page.red('error') : page.yellow('warning');
  const lines = [
    `${word}  ${printable(message)}`,
    ...(place.length === 0 ? [] : [`  ${printable(place.join(' › '))}`]),
    `  ${page.dim(printable(hint))}`,
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
