/** One line, without its end: bytes from `start` to `end` (exclusive), good until the function returns. */
export type TakeLine = (bytes: Buffer, start: number, end: number) => void;

/**
 * Content line by line. Nothing is decoded and nothing kept but an unfinished line, so that a file of tens of megabytes, of
 * which a few lines matter, costs little more than to receive it.
 */
export async function eachLine(content: AsyncIterable<Uint8Array>, take: TakeLine): Promise<void> {
  let rest: Buffer[] = [];
  for await (const chunk of content) {
    const block = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let start = 0;
    for (let end = block.indexOf(10); end >= 0; end = block.indexOf(10, start)) {
      if (rest.length === 0) takeLine(block, start, end, take);
      else {
        const whole = Buffer.concat([...rest, block.subarray(start, end)]);
        rest = [];
        takeLine(whole, 0, whole.length, take);
      }
      start = end + 1;
    }
    // A block may be overwritten once the next is asked for.
    if (start < block.length) rest.push(Buffer.from(block.subarray(start)));
  }
  const last = Buffer.concat(rest);
  if (last.length > 0) takeLine(last, 0, last.length, take);
}

function takeLine(bytes: Buffer, start: number, end: number, take: TakeLine): void {
  take(bytes, start, end > start && bytes[end - 1] === 13 ? end - 1 : end);
}
