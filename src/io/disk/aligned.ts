/** What O_DIRECT asks of addresses, offsets and lengths on every file system met. */
export const ALIGNMENT = 4096;

/** Part of every Node; its types come only with those of a browser. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
};
const PAGE = 65_536;

const aligned = new WeakSet<ArrayBufferLike>();

/**
 * Slots of page-aligned memory that threads may share; none of it is real before it is written to. `size`: a multiple of
 * `ALIGNMENT`. Files are read into such, too: some processors copy to memory that begins a few bytes further into its page
 * than the file's bytes do, as all of Buffer's own does, at a sixth of their speed (docs/performance.md).
 */
export function alignedSlots(count: number, size: number): Buffer[] {
  const pages = Math.ceil((count * size) / PAGE);
  // Memory of WebAssembly begins at a page; that of Buffer does not.
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  aligned.add(buffer);
  return Array.from({ length: count }, (_, index) => Buffer.from(buffer, index * size, size));
}

/** Does it begin where O_DIRECT can take it from, in memory that threads may share? */
export function isAligned({ buffer, byteOffset }: Uint8Array): boolean {
  return aligned.has(buffer) && byteOffset % ALIGNMENT === 0;
}
