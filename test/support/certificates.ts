import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificates {
  readonly ca: string;
  readonly server: { readonly key: string; readonly cert: string };
  readonly client: { readonly key: string; readonly cert: string };
}

/** An authority, a certificate of it for 127.0.0.1, localhost and these names, and one for a client; made by `openssl`, each time anew. */
export function makeCertificates(...names: readonly string[]): Certificates {
  const directory = mkdtempSync(join(tmpdir(), 'dray-'));
  const file = (name: string): string => join(directory, name);
  const openssl = (...words: string[]): void => {
    execFileSync('openssl', words, { stdio: 'ignore', cwd: directory });
  };
  try {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl(
      'req',
      '-x509',
      ...curve,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=test authority',
      '-days',
      '2',
    );
    const all = ['IP:127.0.0.1', ...['localhost', ...names].map((name) => `DNS:${name}`)];
    writeFileSync(file('names'), `subjectAltName=${all.join(',')}`);
    for (const name of ['server', 'client']) {
      openssl('req', ...curve, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2'];
      openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`);
    }
    const read = (name: string): string => readFileSync(file(name), 'utf8');
    const pair = (name: string): { key: string; cert: string } => ({
      key: read(`${name}.key`),
      cert: read(`${name}.pem`),
    });
    return { ca: read('ca.pem'), server: pair('server'), client: pair('client') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
