import { createHash } from 'node:crypto';
import { zip } from '../../examples/shared/zip.mjs';

/** A wheel as its publisher made it; what is given goes before what would be right. */
export interface WheelParts {
  readonly requires?: readonly string[];
  readonly requiresPython?: string;
  /** What METADATA says. */
  readonly name?: string;
  readonly version?: string;
  /** Of more than a little text. */
  readonly payload?: Buffer;
  /** Instead of the true RECORD; given the true one. */
  readonly record?: (lines: readonly string[]) => readonly string[];
  /** Put into the archive behind RECORD's back. */
  readonly stowaway?: string;
}

/** The bytes of a wheel of this file name: one module, METADATA, WHEEL and RECORD, stored. */
export function wheelBytes(file: string, parts: WheelParts = {}): Buffer {
  const [distribution = '', version = ''] = file.split('-');
  const info = `${distribution}-${version}.dist-info`;
  const files: [string, Buffer][] = [
    [`${distribution.replaceAll('.', '_')}.py`, parts.payload ?? Buffer.from(`VERSION = "${version}"\n`)],
    [`${info}/METADATA`, Buffer.from(metadataText(file, parts))],
    [
      `${info}/WHEEL`,
      Buffer.from(`Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n${buildOf(file)}Tag: ${tagOf(file)}\n`),
    ],
  ];
  const lines = [...files.map(([name, bytes]) => recordLine(name, bytes)), `${info}/RECORD,,`];
  const record = Buffer.from(`${(parts.record ?? ((all) => all))(lines).join('\n')}\n`);
  const stowed: [string, Buffer][] = parts.stowaway === undefined ? [] : [[parts.stowaway, Buffer.from('stowaway')]];
  const all = [...files, ...stowed, [`${info}/RECORD`, record] as const];
  return zip(all.map(([name, content]) => ({ name, content })));
}

export function metadataText(file: string, { requires = [], requiresPython, name, version }: WheelParts = {}): string {
  const [distribution = '', written = ''] = file.split('-');
  return [
    'Metadata-Version: 2.1',
    `Name: ${name ?? distribution.replaceAll('_', '-')}`,
    `Version: ${version ?? written}`,
    ...(requiresPython === undefined ? [] : [`Requires-Python: ${requiresPython}`]),
    ...requires.map((one) => `Requires-Dist: ${one}`),
    ...requires
      .flatMap((one) => /extra *== *"([^"]+)"/.exec(one)?.slice(1) ?? [])
      .map((extra) => `Provides-Extra: ${extra}`),
    '',
    'What it is for.',
    '',
  ].join('\n');
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function buildOf(file: string): string {
  const parts = file.split('-');
  return parts.length === 6 ? `Build: ${parts[2]}\n` : '';
}

function tagOf(file: string): string {
  return file
    .replace(/\.whl$/, '')
    .split('-')
    .slice(-3)
    .join('-');
}

function recordLine(name: string, bytes: Buffer): string {
  return `${name},sha256=${createHash('sha256').update(bytes).digest('base64url')},${bytes.length}`;
}
