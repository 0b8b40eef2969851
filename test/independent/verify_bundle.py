#!/usr/bin/env python3
"""Verifies a Drayage bundle with nothing but Python's standard library, from docs/format.md alone.

    python3 verify_bundle.py [--key PUB.pem]... [--threshold N] [--signature FILE]... [--partial] MEDIUM...

A MEDIUM is a directory with a bundle.json, or one that holds such directories. Every stored byte is read once. Lists
the artifacts (kind, name, digest delivered, bytes), says what could not be checked, and ends with dray's exit statuses:
0 all is well, 2 usage, 10 not signed as demanded, 11 damaged, 12 a volume is missing (not with --partial).

Signatures are checked by the `openssl` command; zstd frames by `compression.zstd` (Python 3.14) or the `zstd` command.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

try:
    from compression import zstd
except ImportError:
    zstd = None

KIB, MIB = 1024, 1024 * 1024
BLOCK = MIB
CHUNK = 64 * KIB
SAFE_INTEGER = 2**53 - 1
INDEX_LIMIT = 4 * MIB
LINE_LIMIT = 1024
SIGNATURE_LIMIT, SIGNATURE_FILES = MIB, 16
DOCUMENT_LIMIT = 4 * MIB
DOCUMENTS_LIMIT, DOCUMENTS_BYTES, DOCUMENTS_DEEP = 4096, 256 * MIB, 8
WINDOW_LIMIT = 8 * MIB
REPEATED = 64
SEQUENCES, VOLUMES = 9_999_999_999, 9999
OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Damage(Exception):
    """Something is not what the format allows; the text says what."""


class Report:
    """What is wrong, by exit status, and what nobody could check."""

    def __init__(self) -> None:
        self.statuses: set = set()
        self.unchecked: list = []

    def problem(self, status: int, text: object) -> None:
        self.statuses.add(status)
        word = {10: "not signed", 11: "damaged", 12: "missing"}[status]
        print(f"{word}: {printable(text)}", file=sys.stderr)

    def damaged(self, text: object) -> None:
        self.problem(11, text)

    def not_checked(self, text: str) -> None:
        if text not in self.unchecked:
            self.unchecked.append(text)


def printable(text: object) -> str:
    return "".join(c if c.isprintable() else "\\u%04x" % ord(c) for c in str(text))


# Files of a medium: regular, never through a link, of a size that is known before they are read.


def open_regular(path: str):
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Damage(f"{path}: expected a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def read_small(path: str, limit: int) -> bytes:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise Damage(f"{path}: expected at most {limit} bytes, found {size}")
        return b"".join(iter(lambda: file.read(BLOCK), b""))


class StoredFile:
    """A stored file, read once from front to back; knows the SHA-256 of all of it and the CRC-32 of each chunk."""

    def __init__(self, path: str, size: int) -> None:
        self.path, self.sha, self.crcs = path, hashlib.sha256(), []
        self.position, self.crc = 0, 0
        self.file = open_regular(path)
        found = os.fstat(self.file.fileno()).st_size
        if found != size:
            self.file.close()
            raise Damage(f"{path}: expected {size} bytes, found {found}")

    def __enter__(self) -> "StoredFile":
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def blocks(self, length: int):
        while length > 0:
            block = self.file.read(min(length, BLOCK))
            if not block:
                raise Damage(f"{self.path}: ends at byte {self.position}")
            self.sha.update(block)
            self._count(memoryview(block))
            length -= len(block)
            yield block

    def take(self, length: int) -> bytes:
        return b"".join(self.blocks(length))

    def chunk_sums(self) -> list:
        """One CRC-32 for each chunk read so far, the last one shorter."""
        return self.crcs + ([self.crc] if self.position % CHUNK else [])

    def _count(self, block: memoryview) -> None:
        while block:
            part = block[: CHUNK - self.position % CHUNK]
            self.crc = zlib.crc32(part, self.crc)
            self.position += len(part)
            if self.position % CHUNK == 0:
                self.crcs.append(self.crc)
                self.crc = 0
            block = block[len(part) :]


# "bundle.json" and "Tables": JSON in one spelling, with known keys in a known order.


def strict_json(data: bytes, subject: str, check):
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=unique, parse_int=safe_integer, parse_float=refuse, parse_constant=refuse
        )
    except (ValueError, RecursionError) as error:
        raise Damage(f"{subject}: is not the JSON that the format asks for ({error})") from None
    if spelled(value) != text:
        raise Damage(f"{subject}: is not in the one spelling (white space, escapes or key order)")
    check(value, subject)
    return value


def spelled(value) -> str:
    """What JSON.stringify prints: like Python's, but for lone surrogates."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", lambda found: "\\u%04x" % ord(found.group()), text)


def unique(pairs: list) -> dict:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key stands twice")
    return dict(pairs)


def safe_integer(text: str) -> int:
    if len(text) > 16 or not 0 <= int(text) <= SAFE_INTEGER or text == "-0":
        raise ValueError("a number is not an integer from 0 to 2^53 - 1")
    return int(text)


def refuse(text: str):
    raise ValueError(f"{text} is not an integer")


def expect(condition: bool, subject: str, what: str) -> None:
    if not condition:
        raise Damage(f"{subject}: expected {what}")


def number(least: int, most: int = SAFE_INTEGER):
    return lambda value, subject: expect(
        type(value) is int and least <= value <= most, subject, f"an integer from {least} to {most}"
    )


def text(value, subject: str) -> None:
    expect(isinstance(value, str), subject, "a text")


def digest(value, subject: str) -> None:
    expect(isinstance(value, str) and DIGEST.fullmatch(value) is not None, subject, "sha256:<64 hexadecimal digits>")


def moment(value, subject: str) -> None:
    try:
        expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value, re.ASCII) is not None, subject, "a time in UTC")
        time.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError):
        raise Damage(f"{subject}: expected a time in UTC") from None


def boolean(value, subject: str) -> None:
    expect(isinstance(value, bool), subject, "true or false")


def one_of(*values):
    return lambda value, subject: expect(
        type(value) in (str, int, bool) and value in values, subject, " or ".join(map(json.dumps, values))
    )


def nullable(check):
    return lambda value, subject: None if value is None else check(value, subject)


def list_of(check):
    def checked(value, subject: str) -> None:
        expect(isinstance(value, list), subject, "a list")
        for index, item in enumerate(value):
            check(item, f"{subject}[{index}]")

    return checked


def record(**fields):
    """Keys in this order and no others; a check that is marked `optional` may have no key."""

    def checked(value, subject: str) -> None:
        expect(isinstance(value, dict), subject, "an object")
        wanted = [key for key, check in fields.items() if key in value or not isinstance(check, Optional)]
        expect(list(value) == wanted, subject, f"the keys {', '.join(wanted)} in this order, not {', '.join(value)}")
        for key, item in value.items():
            fields[key](item, f"{subject}: {key}")

    return checked


class Optional:
    def __init__(self, check) -> None:
        self.check = check

    def __call__(self, value, subject: str) -> None:
        self.check(value, subject)


PART = record(
    mediaType=text,
    digest=digest,
    size=number(0),
    artifactType=Optional(text),
    subject=Optional(digest),
    tag=Optional(text),
    note=Optional(text),
)
def counts(value, subject: str) -> None:
    expect(isinstance(value, dict), subject, "an object")
    for key, item in value.items():
        number(0)(item, f"{subject}: {key}")


def at_most(limit: int, check):
    def checked(value, subject: str) -> None:
        check(value, subject)
        expect(len(value) <= limit, subject, f"at most {limit}")

    return checked


ABOUT = record(
    revision=Optional(text),
    commit=Optional(text),
    licence=Optional(text),
    formats=Optional(list_of(text)),
    parameters=Optional(counts),
    pickled=Optional(record(count=number(0), files=at_most(20, list_of(text)))),
)
ARTIFACT = {
    "kind": one_of("images", "charts", "wheels", "models", "files"),
    "name": lambda value, subject: expect(
        isinstance(value, str) and 1 <= len(value) <= 512, subject, "a text of 1 to 512 characters"
    ),
    "groups": list_of(text),
    "from": text,
    "upstream": digest,
    "delivers": digest,
    "mediaType": text,
    "rootSize": number(0),
    "platforms": Optional(list_of(text)),
    "referrers": Optional(one_of("not looked up", "left out", "carried")),
    "about": Optional(ABOUT),
    "parts": list_of(PART),
    "size": number(0),
    "blobs": number(1),
    "volumes": list_of(number(1, VOLUMES)),
}
FILE = {"file": text, "size": number(0), "digest": digest}
VOLUME = record(
    number=number(1, VOLUMES),
    medium=number(1),
    archive=nullable(record(**FILE)),
    pieces=record(**FILE, lines=number(2)),
    chunks=record(**FILE),
    stored=number(0),
)
INDEX = record(
    drayage=one_of(1),
    name=lambda value, subject: expect(
        isinstance(value, str) and re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?", value) is not None,
        subject,
        "1 to 40 of [a-z0-9._-], a letter or digit at both ends",
    ),
    sequence=number(1, SEQUENCES),
    created=moment,
    expires=nullable(moment),
    audience=list_of(text),
    previous=nullable(digest),
    base=nullable(record(sequence=number(1, SEQUENCES), digest=digest)),
    format=one_of("archive", "directory"),
    profile=text,
    lock=digest,
    media=number(1),
    groups=list_of(record(name=text, required=boolean, needs=list_of(text))),
    artifacts=list_of(record(**ARTIFACT)),
    volumes=list_of(VOLUME),
    totals=record(blobs=number(0), bytes=number(0), pieces=number(0), stored=number(0)),
)
LINE = record(
    entry=Optional(one_of("oci-layout", "index.json")),
    document=Optional(one_of(True)),
    offset=number(0),
    size=number(0),
    digest=digest,
    blob=Optional(digest),
    blobSize=Optional(number(0)),
    start=Optional(number(0)),
    encoding=Optional(one_of("zstd")),
    encoder=Optional(text),
    level=Optional(number(0)),
)


def read_index(data: bytes) -> dict:
    index = strict_json(data, "bundle.json", INDEX)
    bundle = f"{index['name']}-{index['sequence']}"
    volumes = index["volumes"]
    expect(len(volumes) > 0, "bundle.json: volumes", "at least one")
    expect(
        {v["medium"] for v in volumes} == set(range(1, index["media"] + 1)),
        "bundle.json: volumes",
        "one on each medium",
    )
    names = [(artifact["kind"], artifact["name"]) for artifact in index["artifacts"]]
    expect(len(set(names)) == len(names), "bundle.json: artifacts", "names that are unique within their kind")
    for count, volume in enumerate(volumes, 1):
        subject = f"bundle.json: volume {count}"
        expect(volume["number"] == count, subject, "volumes in order, none left out")
        expect((volume["archive"] is None) == (index["format"] == "directory"), subject, f"what {index['format']} has")
        for key, suffix in (("archive", "tar"), ("pieces", "pieces"), ("chunks", "chunks")):
            if volume[key] is not None:
                wanted = f"{bundle}.v{count:04d}.{suffix}"
                expect(volume[key]["file"] == wanted and len(wanted) <= 64, f"{subject}: {key}", wanted)
    for artifact in index["artifacts"]:
        numbers = artifact["volumes"]
        subject = f"bundle.json: artifact {artifact['name']}: volumes"
        expect(
            len(numbers) > 0 and numbers == sorted(set(numbers)) and numbers[-1] <= len(volumes),
            subject,
            "volumes of this bundle, at least one, ascending",
        )
    return index


# "Tables".


def read_table(data: bytes, volume: dict) -> list:
    subject = volume["pieces"]["file"]
    expect(data.endswith(b"\n"), subject, "a line feed after each line")
    lines = data[:-1].split(b"\n")
    expect(len(lines) == volume["pieces"]["lines"], subject, f"{volume['pieces']['lines']} lines, found {len(lines)}")
    pieces = []
    for count, line in enumerate(lines, 1):
        expect(len(line) <= LINE_LIMIT, f"{subject}:{count}", f"at most {LINE_LIMIT} bytes")
        pieces.append(strict_json(line, f"{subject}:{count}", LINE))
        check_piece(pieces[-1], f"{subject}:{count}")
    entries = [piece.get("entry") for piece in pieces]
    expect(
        entries == ["oci-layout", "index.json"] + [None] * (len(pieces) - 2),
        subject,
        "oci-layout, then index.json, then pieces",
    )
    documents = ["document" in piece for piece in pieces[2:]]
    expect(documents == sorted(documents, reverse=True), subject, "documents before all other pieces")
    expect(
        sum(piece["size"] for piece in pieces) == volume["stored"], subject, f"{volume['stored']} stored bytes in all"
    )
    check_offsets(pieces, volume)
    return pieces


def check_piece(piece: dict, subject: str) -> None:
    has = piece.keys().__contains__
    if has("entry") or has("document"):
        allowed = {"entry" if has("entry") else "document", "offset", "size", "digest"}
        expect(set(piece) == allowed, subject, "a whole plain piece")
    expect(
        has("blob") == has("blobSize") == (has("start") or has("encoding")),
        subject,
        "blob and blobSize with start or encoding",
    )
    expect(not (has("start") and has("encoding")), subject, "start or encoding, not both")
    expect(
        has("encoding") == has("encoder") == has("level"), subject, "encoder and level with encoding, and only there"
    )
    if has("start"):
        inside = 0 < piece["size"] <= piece["blobSize"] - piece["start"]
        expect(inside, subject, "a run of at least one byte inside its blob")


def check_offsets(pieces: list, volume: dict) -> None:
    """The table fixes every byte of the tar that is not content."""
    end = 0
    for count, piece in enumerate(pieces, 1):
        wanted = 0 if volume["archive"] is None else end + len(tar_headers(piece))
        subject = f"{volume['pieces']['file']}:{count}: offset"
        expect(piece["offset"] == wanted, subject, f"{wanted}, found {piece['offset']}")
        end = wanted + piece["size"] + padding(piece["size"])
    if volume["archive"] is not None:
        size = volume["archive"]["size"]
        expect(size == end + 1024, volume["archive"]["file"], f"{end + 1024} bytes by its table, not {size}")


def blob_of(piece: dict) -> str:
    return piece.get("blob", piece["digest"])


# "Layout of a tar".


def stored_name(piece: dict) -> str:
    if "entry" in piece:
        return piece["entry"]
    if "start" in piece:
        return f"segments/{piece['blob'][7:]}/{piece['start']}"
    return f"blobs/sha256/{piece['digest'][7:]}"


def padding(size: int) -> int:
    return -size % 512


def tar_headers(piece: dict) -> bytes:
    name, size = stored_name(piece), piece["size"]
    if size <= 0o77777777777:
        return tar_header(name, size, b"0")
    content = pax_record(f"size={size}\n")
    return (
        tar_header("PaxHeaders/" + name[-64:], len(content), b"x")
        + content.ljust(512, b"\0")
        + tar_header(name, 0, b"0")
    )


def pax_record(text: str) -> bytes:
    length = len(text) + 2
    while len(f"{length} {text}") != length:
        length += 1
    return f"{length} {text}".encode()


def tar_header(name: str, size: int, kind: bytes) -> bytes:
    numbers = b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"0" * 11 + b"\0"
    before, after = name.encode().ljust(100, b"\0") + numbers, (kind + bytes(100) + b"ustar\x0000").ljust(356, b"\0")
    return before + b"%06o\0 " % (sum(before) + sum(after) + 8 * 32) + after


# "Encodings": one zstd frame that holds the whole blob.


class Tally:
    """Counts and hashes what a frame unpacks to; never takes more than the blob's size and one byte."""

    def __init__(self, size: int) -> None:
        self.size, self.found, self.sha = size, 0, hashlib.sha256()

    def add(self, block: bytes) -> bool:
        self.found += len(block)
        self.sha.update(block)
        return self.found <= self.size


class LibraryFrame:
    def __init__(self, tally: Tally) -> None:
        self.tally, self.decompressor, self.ok = tally, zstd.ZstdDecompressor(), True

    def feed(self, block: bytes) -> None:
        try:
            while self.ok and not self.decompressor.eof:
                unpacked = self.decompressor.decompress(block, max_length=BLOCK)
                self.ok, block = self.tally.add(unpacked), b""
                if self.decompressor.needs_input:
                    return
            self.ok = self.ok and not block
        except zstd.ZstdError:
            self.ok = False

    def finish(self) -> bool:
        return self.ok and self.decompressor.eof and not self.decompressor.unused_data


class CommandFrame:
    def __init__(self, tally: Tally) -> None:
        self.tally, self.ok = tally, True
        self.process = subprocess.Popen(
            ["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for block in iter(lambda: self.process.stdout.read(BLOCK), b""):
            if not self.tally.add(block):
                self.process.kill()
                return

    def feed(self, block: bytes) -> None:
        try:
            self.process.stdin.write(block)
        except OSError:
            self.ok = False

    def finish(self) -> bool:
        try:
            self.process.stdin.close()
        except OSError:
            self.ok = False
        self.reader.join()
        self.process.stdout.close()
        return self.process.wait() == 0 and self.ok


def open_frame(tally: Tally):
    """None where this machine can unpack no zstd."""
    if zstd is not None:
        return LibraryFrame(tally)
    return CommandFrame(tally) if shutil.which("zstd") else None


def frame_header(start: bytes):
    """What a frame's header says (RFC 8878, 3.1.1.1): content size, window, checksum. None: it is no such frame."""
    if len(start) < 6 or start[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = start[4]
    single_segment, flag = descriptor >> 5 & 1, descriptor >> 6
    at = 5 + (0 if single_segment else 1) + (0, 1, 2, 4)[descriptor & 3]
    length = (single_segment, 2, 4, 8)[flag]
    if length == 0 or len(start) < at + length:
        return None
    size = int.from_bytes(start[at : at + length], "little") + (256 if length == 2 else 0)
    power = 1 << 10 + (start[5] >> 3)
    return size, size if single_segment else power + power // 8 * (start[5] & 7), descriptor >> 2 & 1


# Content: each volume is read once, front to back.


class Bundle:
    def __init__(self, index: dict, report: Report) -> None:
        self.index, self.report = index, report
        self.tables: dict = {}
        self.read: set = set()
        self.documents: dict = {}
        self.indexes: dict = {}
        self.segmented: dict = {}
        self.bytes = 0

    def read_archive(self, volume: dict, path: str, sums: list) -> str:
        """Checks one tar; answers the digest of its bytes as they were read."""
        with StoredFile(path, volume["archive"]["size"]) as stored:
            faults = []
            for piece in self.tables[volume["number"]]:
                name, begin = stored_name(piece), stored.position
                headers = tar_headers(piece)
                if stored.take(len(headers)) != headers:
                    faults.append((begin, stored.position, f"header of {name}: is not what the table implies"))
                self.read_piece(stored, piece, volume, faults)
                begin = stored.position
                if any(stored.take(padding(piece["size"]))):
                    faults.append((begin, stored.position, f"padding after {name}: is not zero"))
            if any(stored.take(1024)):
                faults.append((stored.position - 1024, stored.position, "end of the tar: is not zero"))
            self.blame(path, faults, stored.chunk_sums(), sums)
            found = "sha256:" + stored.sha.hexdigest()
        if found != volume["archive"]["digest"] and not faults:
            self.report.damaged(f"{path}: expected {volume['archive']['digest']}, found {found}")
        return found

    def read_directory(self, volume: dict, medium: str, sums: list, known: dict) -> None:
        """Checks each stored file of a volume in the directory format."""
        at, pieces = 0, self.tables[volume["number"]]
        for piece in pieces:
            name = piece.get("entry", f"blobs/sha256/{piece['digest'][7:]}")
            path, count = os.path.join(medium, name), -(-piece["size"] // CHUNK)
            faults: list = []
            try:
                with StoredFile(path, piece["size"]) as stored:
                    self.read_piece(stored, piece, volume, faults)
                    self.blame(path, faults, stored.chunk_sums(), None if sums is None else sums[at : at + count])
                    known[name] = "sha256:" + stored.sha.hexdigest()
            except (OSError, Damage) as error:
                self.report.damaged(error)
            at += count
        if sums is not None and at != len(sums):
            self.report.damaged(f"{volume['chunks']['file']}: expected {at} chunks, found {len(sums)}")

    def read_piece(self, stored: StoredFile, piece: dict, volume: dict, faults: list) -> None:
        name, begin = stored_name(piece), stored.position
        sha, kept, frame, tally = hashlib.sha256(), [], None, Tally(piece.get("blobSize", 0))
        if "encoding" in piece:
            frame = open_frame(tally)
        keep = "entry" in piece or ("document" in piece and piece["size"] <= DOCUMENT_LIMIT)
        first = b""
        for block in stored.blocks(piece["size"]):
            sha.update(block)
            first = first or block
            if keep:
                kept.append(block)
            if frame is not None:
                frame.feed(block)
            if "start" in piece:
                self.join_segment(piece, block)
        self.bytes += piece["size"]
        whole = frame is not None and frame.finish()
        if "sha256:" + sha.hexdigest() != piece["digest"]:
            faults.append(
                (begin, stored.position, f"{name}: expected {piece['digest']}, found sha256:{sha.hexdigest()}")
            )
            return
        if "encoding" in piece:
            self.check_frame(piece, first, whole if frame is not None else None, tally, faults)
        if "entry" in piece:
            self.indexes[volume["number"], name] = b"".join(kept)
        if "document" in piece:
            self.documents[piece["digest"]] = b"".join(kept)

    def check_frame(self, piece: dict, first: bytes, whole, tally: Tally, faults: list) -> None:
        name, (size, window, checksum) = stored_name(piece), frame_header(first[:18]) or (None, 0, 0)
        if size != piece["blobSize"]:
            faults.append((0, 0, f"{name}: expected a zstd frame of {piece['blobSize']} bytes, its header says {size}"))
        if window > WINDOW_LIMIT or checksum:
            faults.append((0, 0, f"{name}: expected a zstd frame with a window of at most 8 MiB and no checksum"))
        if whole is None:
            self.report.not_checked(
                "what zstd frames hold: Python before 3.14, and no zstd command (the frames themselves are whole)"
            )
        elif not whole or tally.found != piece["blobSize"] or "sha256:" + tally.sha.hexdigest() != piece["blob"]:
            faults.append((0, 0, f"{name}: the zstd frame does not hold {piece['blob']} ({piece['blobSize']} bytes)"))

    def join_segment(self, piece: dict, block: bytes) -> None:
        """A blob is hashed over its segments as long as they come one after the other."""
        position, sha = self.segmented.setdefault(piece["blob"], [0, hashlib.sha256()])
        sha.update(block)
        self.segmented[piece["blob"]][0] = position + len(block)

    def blame(self, path: str, faults: list, found: list, wanted: list) -> None:
        """Faults, each with the chunks in it that differ; then chunks that differ where nothing else does."""
        if wanted is None:
            self.report.not_checked(f"chunk sums of {path}: their file is damaged")
        elif len(found) != len(wanted):
            self.report.damaged(f"{path}: expected {len(found)} chunk sums, found {len(wanted)}")
        differ = [number for number, pair in enumerate(zip(found, wanted or found)) if pair[0] != pair[1]]
        for begin, end, text in faults:
            chunks = [number for number in differ if begin < (number + 1) * CHUNK and number * CHUNK < end]
            where = f" (chunk {', '.join(map(str, chunks[:8]))}{' …' if len(chunks) > 8 else ''})" if chunks else ""
            self.report.damaged(f"{path}: {text}{where}")
        if differ and not faults:
            self.report.damaged(
                f"{path}: chunk {differ[0]}: its bytes are whole, its CRC-32 is not what the chunk file says"
            )

    # What must be true of all tables together.

    def check_tables(self) -> None:
        sizes: dict = {}
        whole: dict = {}
        runs: dict = {}
        for number, pieces in sorted(self.tables.items()):
            for piece in pieces:
                if "entry" in piece:
                    continue
                blob, size = blob_of(piece), piece.get("blobSize", piece["size"])
                if sizes.setdefault(blob, size) != size:
                    self.report.damaged(f"{blob}: has two sizes in the tables")
                if "start" in piece:
                    runs.setdefault(blob, []).append((number, piece["start"], piece["size"], size))
                elif "document" not in piece:
                    whole.setdefault(blob, []).append(number)
        for blob, parts in runs.items():
            self.check_segments(blob, parts)
        for blob, volumes in whole.items():
            allowed = len(set(volumes)) if sizes[blob] <= REPEATED else 1
            if len(volumes) > allowed or blob in runs:
                self.report.damaged(f"{blob}: expected one piece or one run of segments in the bundle, found more")
        pieces = [piece for table in self.tables.values() for piece in table]
        found = {
            "blobs": len(sizes),
            "bytes": sum(sizes.values()),
            "pieces": len(pieces),
            "stored": sum(piece["size"] for piece in pieces),
        }
        if found != self.index["totals"]:
            self.report.damaged(f"bundle.json: totals: the tables come to {found}, not {self.index['totals']}")
        self.sizes = sizes

    def check_segments(self, blob: str, parts: list) -> None:
        end, last = 0, parts[0][0]
        for number, start, size, _ in parts:
            if start != end or number not in (last, last + 1):
                self.report.damaged(
                    f"{blob}: segments: expected byte {end} on volume {last} or the next, found {start} on {number}"
                )
            end, last = start + size, number
        if end != parts[0][3]:
            self.report.damaged(f"{blob}: segments: expected {parts[0][3]} bytes, found {end}")

    def check_segmented_blobs(self) -> None:
        homes: dict = {}
        for number, pieces in self.tables.items():
            for piece in pieces:
                if "start" in piece:
                    homes.setdefault((piece["blob"], piece["blobSize"]), set()).add(number)
        for (blob, size), volumes in homes.items():
            missing = sorted(volumes - self.read)
            if missing:
                self.report.not_checked(
                    f"{blob} as a whole: volume {', '.join(map(str, missing))} was not read (its segments here were)"
                )
                continue
            found, sha = self.segmented.get(blob, [0, hashlib.sha256()])
            if found != size or "sha256:" + sha.hexdigest() != blob:
                self.report.damaged(f"{blob}: its segments do not come to it")

    # "Artifacts", "Documents", "index.json".

    def check_artifacts(self) -> None:
        """Documents are looked for in lines that are marked so, everything else in the others: content may have both."""
        marked = {n: {p["digest"] for p in pieces if "document" in p} for n, pieces in self.tables.items()}
        others = {n: [p for p in pieces if not p.keys() & {"entry", "document"}] for n, pieces in self.tables.items()}
        stored = {n: {blob_of(p) for p in pieces} for n, pieces in others.items()}
        plain = {n: {p["digest"] for p in pieces if "blob" not in p} for n, pieces in others.items()}
        documents, contents, unknown = set(), set(), False
        listed: dict = {number: [] for number in self.tables}
        for artifact in self.index["artifacts"]:
            subject = f"{artifact['kind']} {artifact['name']}"
            try:
                graph = Graph(artifact, subject, self.documents)
            except KeyError as missing:
                unknown = True
                if missing.args[0] not in set().union(*marked.values()):
                    self.report.damaged(f"{subject}: its document {missing.args[0]} is in no table")
                else:
                    self.report.not_checked(f"the graph of {subject}: its document {missing.args[0]} was not read")
                continue
            except Damage as damage:
                unknown = True
                self.report.damaged(damage)
                continue
            documents |= graph.documents
            contents |= graph.contents
            self.check_artifact(artifact, graph, marked, stored)
            for number in artifact["volumes"]:
                if graph.documents <= marked[number] and graph.contents <= plain[number]:
                    listed[number].append(artifact)
        if not unknown:
            wrong = (set().union(*marked.values()) - documents) | (set().union(*stored.values()) - contents)
            for blob in sorted(wrong):
                known = blob in documents | contents
                self.report.damaged(
                    f"{blob}: a table says the wrong thing on whether it is a document"
                    if known
                    else f"{blob}: is in a table and in no artifact"
                )
        for number in sorted(self.read):
            self.check_layout(number, None if unknown else listed[number])

    def check_artifact(self, artifact: dict, graph: "Graph", marked: dict, stored: dict) -> None:
        subject, sizes = f"{artifact['kind']} {artifact['name']}", graph.sizes
        for blob in set(sizes) & set(self.sizes):
            if sizes[blob] != self.sizes[blob]:
                self.report.damaged(
                    f"{subject}: {blob}: expected {sizes[blob]} bytes, the tables say {self.sizes[blob]}"
                )
        if (sum(sizes.values()), len(sizes)) != (artifact["size"], artifact["blobs"]):
            self.report.damaged(
                f"{subject}: expected {artifact['blobs']} blobs, {artifact['size']} bytes; found {len(sizes)}, {sum(sizes.values())}"
            )
        stated = set(artifact["volumes"])
        large = {blob for blob in graph.contents if sizes[blob] > REPEATED}
        needed = {number for number, blobs in stored.items() if large & blobs}
        everywhere = set().union(*stored.values())
        absent = sorted(graph.contents - everywhere)
        if absent and self.index["base"] is None:
            self.report.damaged(f"{subject}: {len(absent)} of its blobs are in no table, the first is {absent[0]}")
        unreached = graph.contents & everywhere - set().union(*(stored[number] for number in stated))
        if not needed <= stated or unreached:
            self.report.damaged(
                f"{subject}: expected pieces on volumes {sorted(stated)}, the tables have them on {sorted(needed)}"
            )
        if not graph.contents and len(stated) != 1:
            self.report.damaged(f"{subject}: is nothing but documents, expected one volume, found {sorted(stated)}")
        for number in sorted(stated):
            if graph.documents - marked[number]:
                self.report.damaged(f"{subject}: volume {number} lacks a document of it")

    def check_layout(self, number: int, listed) -> None:
        subject = f"volume {number}"
        layout, index = (self.indexes.get((number, name)) for name in ("oci-layout", "index.json"))
        if layout not in (None, OCI_LAYOUT):
            self.report.damaged(f"{subject}: oci-layout: expected {OCI_LAYOUT.decode()}")
        if index is None:
            return
        if listed is None:
            self.report.not_checked(f"index.json of {subject} against all artifacts")
        elif index != index_json(listed):
            names = ", ".join(named(artifact) for artifact in listed)
            self.report.damaged(f"{subject}: index.json: expected just the roots that are whole: {names or 'none'}")


class Graph:
    """An artifact's content: sizes; what it names as documents, and what as anything else.

    KeyError where a document was not read.
    """

    def __init__(self, artifact: dict, subject: str, read: dict) -> None:
        self.subject, self.sizes, self.documents, self.contents = subject, {}, set(), set()
        level = [(artifact["delivers"], artifact["mediaType"], artifact["rootSize"])]
        level += [(part["digest"], part["mediaType"], part["size"]) for part in artifact["parts"]]
        depth = total = 0
        while level:
            new = [(found, media_type) for found, media_type, size in level if self._add(found, media_type, size)]
            depth, total = depth + 1, total + sum(self.sizes[found] for found, _ in new)
            within = depth <= DOCUMENTS_DEEP and len(self.documents) <= DOCUMENTS_LIMIT and total <= DOCUMENTS_BYTES
            expect(within or not new, subject, "at most 4096 documents, 256 MiB of them, 8 deep")
            level = [
                item for found, media_type in new for item in children(read[found], media_type, f"{subject}: {found}")
            ]

    def _add(self, found: str, media_type: str, size: int) -> bool:
        """Answers whether this is a document that was not met before."""
        expect(self.sizes.setdefault(found, size) == size, f"{self.subject}: {found}", "one size, found two")
        if media_type not in INDEXES + MANIFESTS:
            self.contents.add(found)
            return False
        expect(size <= DOCUMENT_LIMIT, f"{self.subject}: {found}", f"at most {DOCUMENT_LIMIT} bytes")
        is_new = found not in self.documents
        self.documents.add(found)
        return is_new


MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def document(data: bytes, subject: str) -> dict:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Damage(f"{subject}: is not JSON") from None
    expect(isinstance(value, dict), subject, "an object")
    return value


def children(data: bytes, media_type: str, subject: str) -> list:
    """What a document names: children of an index; configuration and layers of a manifest. Not its `subject`."""
    value = document(data, subject)
    try:
        items = value["manifests"] if media_type in INDEXES else [value["config"], *value["layers"]]
        for item in items:
            digest(item["digest"], f"{subject}: descriptor")
            number(0)(item["size"], f"{subject}: descriptor")
            is_document = item["mediaType"] in INDEXES + MANIFESTS
            expect(media_type in INDEXES or not is_document, subject, "no document as config or layer of a manifest")
        return [(item["digest"], item["mediaType"], item["size"]) for item in items]
    except (KeyError, TypeError):
        raise Damage(f"{subject}: a descriptor in it is incomplete") from None


def index_json(artifacts: list) -> bytes:
    """The one spelling of a volume's index.json that lists these."""
    manifests = []
    for artifact in artifacts:
        entry = {"mediaType": artifact["mediaType"], "digest": artifact["delivers"], "size": artifact["rootSize"]}
        name = named(artifact)
        notes = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
        manifests.append({**entry, "annotations": notes})
    value = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    return spelled(value).encode()


def named(artifact: dict) -> str:
    """The name in index.json: the artifact's, with a tag made of its digest where it has none."""
    name = artifact["name"]
    return name if ":" in name.rpartition("/")[2] else f"{name}:d-{artifact['delivers'][7:19]}"


# "Signatures".

P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
ED25519 = bytes.fromhex("302a300506032b6570032100")


class PublicKey:
    def __init__(self, file: str) -> None:
        text = open(file, encoding="ascii").read()
        body = re.fullmatch(r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*", text)
        if body is None:
            raise ValueError(f"{file}: expected one public key in PEM")
        der = base64.b64decode("".join(body.group(1).split()), validate=True)
        if not (der.startswith(P256) and len(der) == 91 or der.startswith(ED25519) and len(der) == 44):
            raise ValueError(f"{file}: expected ECDSA P-256 or Ed25519")
        self.file, self.id, self.edwards = file, hashlib.sha256(der).digest(), der.startswith(ED25519)

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        with tempfile.TemporaryDirectory() as directory:
            paths = [os.path.join(directory, name) for name in ("signed", "signature")]
            for path, content in zip(paths, (signed, signature)):
                with open(path, "wb") as file:
                    file.write(content)
            edwards = [
                "pkeyutl",
                "-verify",
                "-pubin",
                "-inkey",
                self.file,
                "-rawin",
                "-in",
                paths[0],
                "-sigfile",
                paths[1],
            ]
            ecdsa = ["dgst", "-sha256", "-verify", self.file, "-signature", paths[1], paths[0]]
            command = ["openssl", *(edwards if self.edwards else ecdsa)]
            return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class NotSigned(Exception):
    """Not by as many keys as demanded; nothing of bundle.json is read."""


def check_signatures(files: dict, index_digest: str, keys: list, threshold: int, report: Report) -> None:
    if not keys:
        report.not_checked("signatures: no --key was given")
        return
    if shutil.which("openssl") is None:
        raise NotSigned("signatures cannot be checked: the openssl command is not installed")
    if len(files) > SIGNATURE_FILES:
        raise NotSigned(f"expected at most {SIGNATURE_FILES} signature files, found {len(files)}")
    signers: dict = {}
    reasons = []
    for name, data in sorted(files.items()):
        try:
            key = signer_of(data, index_digest, keys)
            signers[key.id] = key.file
            print(f"signed by {printable(key.file)} (id {key.id.hex()[:12]}): {printable(name)}")
        except Damage as damage:
            reasons.append(f"; {name}: {damage}")
    if len(signers) < threshold:
        raise NotSigned(
            f"bundle.json: expected signatures by {threshold} of the keys given, found {len(signers)}{''.join(reasons)}"
        )


def signer_of(data: bytes, index_digest: str, keys: list) -> PublicKey:
    try:
        bundle = json.loads(data.decode("utf-8"), object_pairs_hook=unique)
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        [only] = envelope["signatures"]
        signature = base64.b64decode(only["sig"], validate=True)
        hint = bundle["verificationMaterial"]["publicKey"].get("hint", "")
        media_type, payload_type = bundle["mediaType"], envelope["payloadType"]
        statement = json.loads(payload.decode("utf-8"), object_pairs_hook=unique)
        said = (statement["_type"], statement["predicateType"], statement["subject"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Damage("is not a Sigstore bundle with one signature over a statement") from None
    expect(media_type == "application/vnd.dev.sigstore.bundle.v0.3+json", "media type", "a Sigstore bundle v0.3")
    expect(payload_type == "application/vnd.in-toto+json", "payload type", "application/vnd.in-toto+json")
    expect(only.get("keyid", "") in ("", hint), "keyid", "none, or the hint")
    kind = payload_type.encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    claimed = [key for key in keys if base64.b64encode(key.id).decode() == hint]
    key = next((key for key in claimed or keys if key.verifies(signed, signature)), None)
    expect(key is not None, "signature", "one that a key given here made")
    subject = [{"name": "bundle.json", "digest": {"sha256": index_digest[7:]}}]
    wanted = ("https://in-toto.io/Statement/v1", "https://drayage.dev/bundle/v1", subject)
    expect(said == wanted, "statement", "one about this bundle.json")
    return key


# "One medium".


class Medium:
    """A directory of the bundle, and the digests of its files as they were read."""

    def __init__(self, path: str) -> None:
        self.path, self.known = path, {}

    def at(self, name: str) -> str:
        return os.path.join(self.path, name)

    def has(self, name: str) -> bool:
        return os.path.lexists(self.at(name))

    def read(self, name: str, limit: int) -> bytes:
        data = read_small(self.at(name), limit)
        self.known[name] = "sha256:" + hashlib.sha256(data).hexdigest()
        return data

    def read_stated(self, stated: dict) -> bytes:
        """A file that bundle.json states by size and digest."""
        data = self.read(stated["file"], stated["size"])
        if len(data) != stated["size"] or self.known[stated["file"]] != stated["digest"]:
            found = f"{len(data)} bytes, {self.known[stated['file']]}"
            raise Damage(
                f"{self.at(stated['file'])}: expected {stated['size']} bytes, {stated['digest']}; found {found}"
            )
        return data

    def signatures(self) -> list:
        return [
            n for n in sorted(os.listdir(self.path)) if re.fullmatch(r"bundle\.json\.[1-9][0-9]?\.sigstore\.json", n)
        ]


def find_media(paths: list) -> list:
    media = []
    for path in paths:
        inner = (
            [path]
            if os.path.lexists(os.path.join(path, "bundle.json"))
            else sorted(
                entry.path for entry in os.scandir(path) if os.path.lexists(os.path.join(entry.path, "bundle.json"))
            )
        )
        media += [Medium(found) for found in inner]
    return media


def check_sums(medium: Medium, report: Report) -> None:
    """SHA256SUMS: GNU's format, sorted, every other file; what was read already is not read again."""
    subject = medium.at("SHA256SUMS")
    try:
        lines = read_small(subject, 64 * MIB).decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError, Damage) as error:
        report.damaged(error)
        return
    listed = dict(reversed(line.split("  ", 1)) for line in lines[:-1] if re.fullmatch(r"[0-9a-f]{64}  .+", line))
    if lines[-1] != "" or len(listed) != len(lines) - 1 or list(listed) != sorted(listed, key=str.encode):
        report.damaged(f"{subject}: expected lines of sha256sum, sorted by path, each path once")
    present = {
        os.path.relpath(os.path.join(directory, name), medium.path).replace(os.sep, "/")
        for directory, _, names in os.walk(medium.path)
        for name in names
    }
    for name in sorted(present - set(listed) - {"SHA256SUMS"}):
        report.not_checked(f"{medium.at(name)}: SHA256SUMS does not list it")
    for name, wanted in listed.items():
        if name not in present:
            report.damaged(f"{medium.at(name)}: is listed in SHA256SUMS and not there")
        elif (name in medium.known or hashes(medium, name, report)) and medium.known[name] != "sha256:" + wanted:
            report.damaged(f"{medium.at(name)}: is not what SHA256SUMS says")


def hashes(medium: Medium, name: str, report: Report) -> bool:
    """Reads a file of the medium that nothing else has read."""
    try:
        with open_regular(medium.at(name)) as file:
            sha = hashlib.sha256()
            for block in iter(lambda: file.read(BLOCK), b""):
                sha.update(block)
        medium.known[name] = "sha256:" + sha.hexdigest()
        return True
    except (OSError, Damage) as error:
        report.damaged(error)
        return False


# From the signature down.


def verify(options: argparse.Namespace, keys: list, report: Report) -> None:
    media = find_media(options.media)
    if not media:
        report.problem(12, f"{', '.join(options.media)}: expected a medium, a directory with a bundle.json")
        return
    texts = {medium.read("bundle.json", INDEX_LIMIT) for medium in media}
    if len(texts) != 1:
        raise Damage("these media are not of one bundle: their bundle.json differ")
    [data] = texts
    index_digest = media[0].known["bundle.json"]
    signatures = {
        medium.at(name): medium.read(name, SIGNATURE_LIMIT) for medium in media for name in medium.signatures()
    }
    distinct = {content: name for name, content in signatures.items()}
    distinct.update({read_small(name, SIGNATURE_LIMIT): name for name in options.signature})
    check_signatures(
        {name: content for content, name in distinct.items()}, index_digest, keys, options.threshold, report
    )
    index = read_index(data)
    print(
        f"{index['name']}-{index['sequence']} {index_digest}, created {index['created']}, {index['format']}, {index['media']} media"
    )
    bundle = Bundle(index, report)
    read_tables(bundle, media)
    read_volumes(bundle, media, options.partial)
    if len(bundle.tables) == len(index["volumes"]):
        bundle.check_tables()
        bundle.check_segmented_blobs()
        bundle.check_artifacts()
    for medium in media:
        check_sums(medium, report)
    for artifact in index["artifacts"]:
        print(f"{artifact['kind']:<7} {printable(artifact['name'])} {artifact['delivers']} {artifact['size']}")
    print(
        f"{len(index['artifacts'])} artifacts; read {bundle.bytes} stored bytes on {len(bundle.read)} of {len(index['volumes'])} volumes"
    )


def read_tables(bundle: Bundle, media: list) -> None:
    """Every table lies on every medium; each copy is checked, and any whole one will do."""
    for volume in bundle.index["volumes"]:
        for medium in media:
            try:
                data = medium.read_stated(volume["pieces"])
                if volume["number"] not in bundle.tables:
                    bundle.tables[volume["number"]] = read_table(data, volume)
            except (OSError, Damage) as error:
                bundle.report.damaged(error)


def read_volumes(bundle: Bundle, media: list, partial: bool) -> None:
    for volume in bundle.index["volumes"]:
        known_by = (volume["archive"] or volume["chunks"])["file"]
        medium = next((medium for medium in media if medium.has(known_by)), None)
        if volume["number"] not in bundle.tables:
            bundle.report.not_checked(f"volume {volume['number']}: no whole table of it was found")
        elif medium is not None:
            read_volume(bundle, volume, medium)
        elif partial:
            bundle.report.not_checked(f"volume {volume['number']}, on medium {volume['medium']}: was not given")
        else:
            bundle.report.problem(12, f"volume {volume['number']}, on medium {volume['medium']}")


def read_volume(bundle: Bundle, volume: dict, medium: Medium) -> None:
    bundle.read.add(volume["number"])
    try:
        chunks = medium.read_stated(volume["chunks"])
        expect(len(chunks) % 4 == 0, volume["chunks"]["file"], "4 bytes for each chunk")
        sums = [found for (found,) in struct.iter_unpack("<I", chunks)]
    except (OSError, Damage) as error:
        bundle.report.damaged(error)
        sums = None
    try:
        if volume["archive"] is None:
            bundle.read_directory(volume, medium.path, sums, medium.known)
        else:
            name = volume["archive"]["file"]
            medium.known[name] = bundle.read_archive(volume, medium.at(name), sums)
    except (OSError, Damage) as error:
        bundle.report.damaged(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", nargs="+", metavar="MEDIUM")
    parser.add_argument("--key", action="append", default=[], metavar="PUB.pem")
    parser.add_argument("--threshold", type=int, default=1, metavar="N")
    parser.add_argument("--signature", action="append", default=[], metavar="FILE")
    parser.add_argument("--partial", action="store_true")
    options = parser.parse_args()
    for path in options.media:
        if not os.path.isdir(path):
            parser.error(f"{printable(path)}: expected a directory")
    report = Report()
    try:
        keys = [PublicKey(file) for file in options.key]
    except (OSError, ValueError) as error:
        parser.error(printable(error))
    try:
        verify(options, keys, report)
    except NotSigned as error:
        report.problem(10, error)
    except (OSError, Damage) as error:
        report.damaged(error)
    for text in report.unchecked:
        print(f"not checked: {printable(text)}")
    return min(report.statuses, default=0)


if __name__ == "__main__":
    sys.exit(main())
