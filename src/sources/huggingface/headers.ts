import type { HubCommit } from '../../oci/hub-name.ts';
import type { ModelFile } from '../models/about.ts';
import { openFile } from './content.ts';
import { fileUrl } from './hub.ts';
import type { Hub } from './hub.ts';
import { refusal } from './refusals.ts';
import type { HubFile } from './tree.ts';

/** How much of a file whose server knows no ranges is read in one answer. In bytes. */
const LIMIT = 8 * 1024 * 1024;

/**
 * The files of a model as whoever looks into headers reads them: by range, from the Hub, no payload. They are looked at one
 * after the other, each over several redirects; so while one is, the first bytes of the next few are on their way.
 */
export function modelFiles(hub: Hub, at: HubCommit, files: readonly HubFile[], jobs: number): readonly ModelFile[] {
  const begun = new Map<string, Promise<Uint8Array>>();
  const weights = files.filter(({ path }) => path.toLowerCase().endsWith('.safetensors'));
  const begin = (file: HubFile, end: number): Promise<Uint8Array> => {
    const length = Math.min(end, file.size);
    const known = begun.get(`${length} ${file.path}`) ?? readRange(hub, at, file, 0, length);
    begun.set(`${length} ${file.path}`, known);
    // Who asks for it is told; nobody may.
    known.catch(() => undefined);
    return known;
  };
  return files.map((file) => ({
    title: file.path,
    size: file.size,
    read: async (start, end) => {
      if (start !== 0) return readRange(hub, at, file, start, end);
      const place = weights.indexOf(file);
      const bytes = begin(file, end);
      for (const next of weights.slice(place + 1, place + jobs)) void begin(next, end);
      begun.delete(`${Math.min(end, file.size)} ${file.path}`);
      return bytes;
    },
  }));
}

async function readRange(hub: Hub, at: HubCommit, file: HubFile, start: number, end: number): Promise<Uint8Array> {
  if (start === end) return new Uint8Array();
  if (end - start > LIMIT) return readOn(hub, at, file, start, end);
  const headers = { range: `bytes=${start}-${end - 1}` };
  const answer = await hub.network.ask(fileUrl(hub, at, file.path), { headers }).catch(() => undefined);
  if (answer?.status === 206 && answer.body.length === end - start) return answer.body;
  if (answer !== undefined && answer.status >= 400) throw refusal(answer, { hub, repository: at, what: file.path });
  return readOn(hub, at, file, start, end);
}

/** By a download that is broken off: for long headers, and for servers that answer with the whole file. */
async function readOn(hub: Hub, at: HubCommit, file: HubFile, start: number, end: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(end - start);
  let filled = 0;
  const { content } = await openFile(hub, at, file);
  for await (const block of content(start)) {
    filled += Buffer.from(block).copy(bytes, filled);
    if (filled === bytes.length) break;
  }
  return bytes.subarray(0, filled);
}
