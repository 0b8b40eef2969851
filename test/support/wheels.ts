import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

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
  return zip([...files, ...stowed, [`${info}/RECORD`, record]]);
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

/** Stored files, all of 1980 (PKWARE APPNOTE.TXT 6.3). */
export function zip(files: readonly (readonly [name: string, content: Buffer])[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of files) {
    const path = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(path.length, 22);
    const where = Buffer.alloc(14);
    where.writeUInt32LE((0o100644 << 16) >>> 0, 6);
    where.writeUInt32LE(offset, 10);
    const header = Buffer.concat([Buffer.from('PK\x03\x04'), common, path]);
    local.push(header, content);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), common, where, path]));
    offset += header.length + content.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, directory, end]);
}
