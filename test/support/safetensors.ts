import { noise } from './bundles.ts';

/** Enough for the header of one tensor. */
const HEADER = 128;

/** A safetensors file: the length of its header, the header, and what comes behind it. */
export function safetensors(header: unknown, data: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** One of just this many bytes, which holds a tensor of noise. */
export function weightsFile(size: number, seed: string): Buffer {
  const data = size - 8 - HEADER;
  const header = { weight: { dtype: 'U8', shape: [data], data_offsets: [0, data] } };
  return safetensors(JSON.stringify(header).padEnd(HEADER), noise(data, seed));
}
