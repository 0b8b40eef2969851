const ADDRESS = 0x400000;
const HEADERS = 64 + 56;

/** What differs between the two kinds of processor: ELF's number for it, and the code that prints and ends. */
const MACHINES = {
  amd64: { number: 62, code: amd64 },
  arm64: { number: 183, code: arm64 },
};

/**
 * The smallest program for Linux that says something: two headers, write(1, text), exit(0). It needs no libraries, so it
 * is all that an image has to hold.
 * @param {'amd64' | 'arm64'} machine
 * @param {string} text
 * @returns {Buffer} an ELF executable
 */
export function program(machine, text) {
  const { number, code } = MACHINES[machine];
  const message = Buffer.from(text);
  const body = Buffer.concat([code(message.length), message]);
  const head = Buffer.alloc(HEADERS);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeUInt16LE(2, 16); // an executable
  head.writeUInt16LE(number, 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(BigInt(ADDRESS + HEADERS), 24); // where it begins
  head.writeBigUInt64LE(64n, 32); // the program header follows
  head.writeUInt16LE(64, 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(1, 64); // load
  head.writeUInt32LE(5, 68); // to read and to run
  head.writeBigUInt64LE(BigInt(ADDRESS), 80);
  head.writeBigUInt64LE(BigInt(ADDRESS), 88);
  head.writeBigUInt64LE(BigInt(HEADERS + body.length), 96);
  head.writeBigUInt64LE(BigInt(HEADERS + body.length), 104);
  head.writeBigUInt64LE(0x10000n, 112);
  return Buffer.concat([head, body]);
}

function amd64(length) {
  const end = [0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05]; // mov eax, 60 (exit); xor edi, edi; syscall
  const write = [0xba, ...word(length), 0x0f, 0x05]; // mov edx, length; syscall
  const rest = write.length + end.length;
  const begin = [0xb8, 1, 0, 0, 0, 0x89, 0xc7, 0x48, 0x8d, 0x35, ...word(rest)]; // mov eax, 1 (write); mov edi, eax; lea rsi, [rip + rest]
  return Buffer.from([...begin, ...write, ...end]);
}

function arm64(length) {
  const move = (register, value) => 0xd2800000 + value * 32 + register; // movz xR, #value
  const call = 0xd4000001; // svc #0
  const code = [move(0, 1), 0, move(2, length), move(8, 64), call, move(0, 0), move(8, 93), call];
  code[1] = 0x10000000 + (code.length - 1) * 32 + 1; // adr x1, the end of the code; its distance counts words from here
  return Buffer.from(code.flatMap(word));
}

function word(number) {
  return [0, 8, 16, 24].map((shift) => (number >>> shift) & 255);
}
