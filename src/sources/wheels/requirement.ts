import { isProject, normaliseProject } from '../../oci/wheel-name.ts';
import { parseMarker } from './marker.ts';
import type { Marker } from './marker.ts';
import { parseSpecifiers } from './specifier.ts';
import type { Specifiers } from './specifier.ts';

/** What one line asks for (packaging.python.org, dependency-specifiers): `requests[socks]>=2; python_version<"3.13"`. */
export interface Requirement {
  /** Normalised. */
  readonly project: string;
  /** Normalised. */
  readonly extras: readonly string[];
  readonly specifiers: Specifiers;
  /** Of `NAME @ URL`. */
  readonly url: string | undefined;
  readonly marker: Marker | undefined;
  /** As written, without the marker. */
  readonly text: string;
}

const REQUIREMENT =
  /^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(?:@\s*(\S.*)|\(([^)]*)\)|([^@(].*)?)$/s;

/** Undefined for what is none. */
export function parseRequirement(written: string): Requirement | undefined {
  const { text, marker: markerText } = splitMarker(written);
  const [, name = '', extras = '', url, inBrackets, plain] = REQUIREMENT.exec(text) ?? [];
  const project = normaliseProject(name);
  const specifiers = parseSpecifiers(inBrackets ?? plain ?? '');
  const marker = markerText === undefined ? undefined : parseMarker(markerText);
  if (!isProject(project) || specifiers === undefined || (markerText !== undefined && marker === undefined))
    return undefined;
  const names = extras.split(',').map((extra) => normaliseProject(extra.trim()));
  const wanted = names.filter((extra) => extra !== '');
  if (!wanted.every(isProject)) return undefined;
  return { project, extras: wanted, specifiers, url: url?.trim(), marker, text: text.trim() };
}

/** A semicolon begins the marker; in a URL only one with a blank before it does. */
function splitMarker(written: string): { readonly text: string; readonly marker: string | undefined } {
  const at = /^[^;]*@/.test(written) ? written.search(/\s;/) : written.indexOf(';');
  if (at < 0) return { text: written, marker: undefined };
  return { text: written.slice(0, at), marker: written.slice(written.indexOf(';', at) + 1) };
}
