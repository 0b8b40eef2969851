import { crc32 } from 'node:zlib';

/** 1980-01-01 00:00, the first moment that a zip can name. */
const DOS_TIME = 0;
const DOS_DATE = 0x21;
const VERSION = 20;
const UNIX = 3;

/**
 * A zip of stored files (PKWARE APPNOTE.TXT 6.3): not compressed, so that every Node makes the same bytes.
 * @param {readonly {name: string, content: Buffer}[]} files
 * @returns {Buffer}
 */
export function zip(files) {
  const local = [];
  const central = [];
  let offset = 0;
  for (const { name, content } of files) {
    const path = Buffer.from(name);
    const common = fields(path, content);
    const header = Buffer.concat([Buffer.from('PK\x03\x04'), common, path]);
    local.push(header, content);
    const where = Buffer.alloc(14);
    where.writeUInt32LE((0o100644 << 16) >>> 0, 6);
    where.writeUInt32LE(offset, 10);
    const made = Buffer.from([VERSION, UNIX]);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02'), made, common, where, path]));
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

/** What the header before a file and its line in the directory have in common. */
function fields(path, content) {
  const common = Buffer.alloc(26);
  common.writeUInt16LE(VERSION, 0);
  common.writeUInt16LE(DOS_TIME, 6);
  common.writeUInt16LE(DOS_DATE, 8);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(content.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(path.length, 22);
  return common;
}
