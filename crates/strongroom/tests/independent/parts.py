"""Parts and frames, and the codecs that code them. Written from docs/format.md, "Parts and frames" and "Codecs and keys"."""
import struct

import lz4.block
import zstandard
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from documents import Damage, check

MAGIC = bytes.fromhex("53524F4F4D0D0A1A")
MAX_PLAIN = 1_048_576
MAX_CODED = MAX_PLAIN + 65_536


def crc32c(data, table=[]):
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


class Head:
    """The head of a part."""

    def __init__(self, data):
        check(data[:8] == MAGIC, "no part: its first bytes")
        part_format, length = struct.unpack_from("<HH", data, 8)
        check(12 <= length <= 1024 and length <= len(data), "the length of a head")
        check(crc32c(data[:length - 4]) == struct.unpack_from("<I", data, length - 4)[0], "the CRC of a head")
        check(part_format == 1, f"a part of format {part_format}")
        self.length = length
        self.repository = data[12:28]
        self.salt = data[28:60]
        at = 60
        at, self.identity = self._text(data, at)
        count = data[at]
        check(count <= 8, "the number of codecs")
        at += 1
        self.codecs = []
        for _ in range(count):
            at, name = self._text(data, at)
            check(1 <= len(name) <= 64, "a codec's name")
            self.codecs.append(name.decode("ascii"))
        check(at == length - 4, "the length of a head and what it holds")
        check(1 <= len(self.identity) <= 255, "an identity")

    @staticmethod
    def _text(data, at):
        size = data[at]
        return at + 1 + size, data[at + 1:at + 1 + size]


def unzstd(data, limit):
    check(data[:1] in (b"\0", b"\1"), "the first byte of a zstd frame")
    if data[0] == 0:
        check(len(data) - 1 <= limit, "a raw frame longer than it may be")
        return data[1:]
    frame = data[1:]
    size = zstandard.frame_content_size(frame)
    check(0 <= size <= limit, "the stated size of a zstd frame")
    decoder = zstandard.ZstdDecompressor().decompressobj()
    plain = decoder.decompress(frame)
    check(decoder.eof and not decoder.unused_data and len(plain) == size, "a zstd frame, whole and alone")
    check(len(frame) < len(plain), "a compressed form that is shorter")
    return plain


def unlz4(data, limit):
    check(data[:1] in (b"\0", b"\1"), "the first byte of an lz4 frame")
    if data[0] == 0:
        check(len(data) - 1 <= limit, "a raw frame longer than it may be")
        return data[1:]
    (size,) = struct.unpack_from("<I", data, 1)
    check(size <= limit, "the stated size of an lz4 block")
    plain = lz4.block.decompress(data[5:], uncompressed_size=size)
    check(len(plain) == size and len(data) - 1 < size, "an lz4 block that gives what it says")
    return plain


class Opener:
    """Undoes the codecs of one part."""

    def __init__(self, head, keys):
        self.head = head
        self.sealers = {}
        for name in head.codecs:
            family, _, argument = name.partition(":")
            if family == "seal":
                check(argument in keys, f"the key {argument}")
                self.sealers[name] = AESGCM(hkdf(keys[argument], head.salt, b"strongroom seal v1"))
            else:
                check(name in ("lz4", "zstd"), f"the codec {name}")

    def open(self, coded, index, last, plain_length):
        for place, name in reversed(list(enumerate(self.head.codecs))):
            limit = plain_length if place == 0 else MAX_CODED
            if name == "zstd":
                coded = unzstd(coded, limit)
            elif name == "lz4":
                coded = unlz4(coded, limit)
            else:
                nonce = struct.pack("<I7xB", index, last)
                identity = self.head.identity
                bound = b"\x10" + self.head.repository + bytes([len(identity)]) + identity + struct.pack("<IB", index, last)
                try:
                    coded = self.sealers[name].decrypt(nonce, coded, bound)
                except InvalidTag:
                    raise Damage(f"frame {index} does not open") from None
        return coded


def read_part(data, repository, expected, codecs, keys):
    """The plain bytes of a part. `expected` is its identity."""
    head = Head(data)
    check(head.repository.hex() == repository, "a part of another repository")
    check(head.identity.decode() == expected, f"the part {head.identity!r} in the place of {expected!r}")
    check(head.codecs == codecs, f"codecs {head.codecs} instead of {codecs}")
    opener = Opener(head, keys)
    at, index, last, plain = head.length, 0, 0, []
    while not last:
        check(at + 20 <= len(data), "a part without its last frame")
        coded_length, plain_length, number, flags, crc = struct.unpack_from("<IIIII", data, at)
        check(coded_length <= MAX_CODED and plain_length <= MAX_PLAIN, "the lengths of a frame")
        check(number == index and flags in (0, 1), "index and flags of a frame")
        coded = data[at + 20:at + 20 + coded_length]
        check(len(coded) == coded_length, "a cut frame")
        check(crc == crc32c(data[at:at + 16] + coded), "the CRC of a frame")
        last = flags
        frame = opener.open(coded, index, last, plain_length)
        check(len(frame) == plain_length, "the plain length of a frame")
        plain.append(frame)
        at += 20 + coded_length
        index += 1
    check(at == len(data), "bytes after the last frame")
    return b"".join(plain)


def read_object(store, reference):
    """The bytes of an object, compared with what the reference says of them."""
    data = store.read(reference["key"])
    check(len(data) == reference["size"], f"{reference['key']}: its size")
    check(blake3(data).hexdigest() == reference["blake3"], f"{reference['key']}: its hash")
    return data
