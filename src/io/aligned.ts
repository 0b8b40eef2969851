/** What O_DIRECT asks of addresses, offsets and lengths on every file system met. */
export const ALIGNMENT = 4096;

/** Part of every Node; its types come only with those of a browser. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

const PAGE = 65_536;

/**
 * Buffers that begin at a page and that threads share: memory of WebAssembly is such, that of Buffer is not. What is
 * never written to costs nothing. `size` is a multiple of `ALIGNMENT`.
 */
export function alignedBuffers(count: number, size: number): Buffer[] {
  const pages = Math.ceil((count * size) / PAGE);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return Array.from({ length: count }, (_, at) => Buffer.from(buffer, at * size, size));
}

/** Can it be written with O_DIRECT as it lies there? */
export function isAligned({ buffer, byteOffset, length }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer && byteOffset % ALIGNMENT === 0 && length % ALIGNMENT === 0;
}
