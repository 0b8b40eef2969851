/** A line of a wheel's RECORD (packaging.python.org, recording-installed-packages): CSV of path, hash and size. */
export interface RecordLine {
  readonly path: string;
  /** base64url without padding, where the hash is a SHA-256. */
  readonly sha256: string | undefined;
  readonly size: number | undefined;
}

const FIELD = /("(?:[^"]|"")*"|[^,"]*)(?:,|$)/y;

export function parseRecord(text: string): readonly RecordLine[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [path = '', hash = '', size = ''] = fieldsOf(line);
    if (path === '') return [];
    const [, sha256] = /^sha256=([A-Za-z0-9_-]+)=*$/.exec(hash) ?? [];
    return [{ path: path.replace(/^\.\//, ''), sha256, size: /^\d{1,15}$/.test(size) ? Number(size) : undefined }];
  });
}

function fieldsOf(line: string): readonly string[] {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < line.length && fields.length < 3) {
    const [, field = ''] = FIELD.exec(line) ?? [];
    if (FIELD.lastIndex === 0) break;
    fields.push(field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field);
  }
  return fields;
}
