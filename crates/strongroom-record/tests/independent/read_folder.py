#!/usr/bin/env python3
"""Reads a folder of .asb files with nothing of strongroom's own code, as strictly as the format allows.

    read_folder.py FOLDER                            plain files
    read_folder.py FOLDER --zstd --aes 256 KEY.pem   compressed and encrypted ones

Written from the public reader of the reference tools (backup-go, 2026-08): the order of lines is fixed, numbers have no spare
signs or zeros, base64 is padded, names escape what they must and nothing else. Prints one line for each thing that it found.
"""
import argparse
import base64
import hashlib
import math
import pathlib
import re
import struct
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from zstandard import ZstdDecompressor

RAW_TYPES = {b"B": "blob", b"J": "java", b"C": "c#", b"P": "python", b"R": "ruby", b"H": "php", b"E": "erlang", b"Y": "hll", b"M": "map", b"L": "list"}


class Text:
    """The bytes of a file, read token by token."""

    def __init__(self, data, name):
        self.data, self.at, self.name = data, 0, name

    def check(self, holds, what):
        if not holds:
            sys.exit(f"{self.name}, byte {self.at}: {what}")

    def take(self, count):
        self.check(self.at + count <= len(self.data), "the file ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def expect(self, text):
        self.check(self.data.startswith(text, self.at), f"not {text!r} but {self.data[self.at:self.at + 20]!r}")
        self.at += len(text)

    def maybe(self, text):
        there = self.data.startswith(text, self.at)
        self.at += len(text) if there else 0
        return there

    def token(self):
        """A name: backslash, space and line end are escaped, nothing else is."""
        out = bytearray()
        while (byte := self.take(1)) not in (b" ", b"\n"):
            if byte == b"\\":
                byte = self.take(1)
                self.check(byte in (b"\\", b" ", b"\n"), f"\\{byte!r} needs no escape")
            out += byte
        self.at -= 1
        return bytes(out)

    def number(self, least, most):
        word = self.token()
        self.check(re.fullmatch(rb"-?(0|[1-9][0-9]*)", word) and word != b"-0", f"{word!r} is no number")
        self.check(least <= int(word) <= most, f"{word!r} is out of range")
        return int(word)

    def sized(self):
        size = self.number(0, 2**32 - 1)
        self.expect(b" ")
        return self.take(size)

    def packed(self, raw):
        body = self.sized()
        return body if raw else self.unpacked(body)

    def unpacked(self, body):
        plain = base64.b64decode(body, validate=True)
        self.check(base64.b64encode(plain) == body, "base64 in another form")
        return plain

    def double(self):
        word = self.token().decode()
        self.check(re.fullmatch(r"NaN|[+-]Inf|-?[0-9]+(\.[0-9]+)?(e[+-][0-9]{2,3})?", word), f"{word} is no float")
        value = float(word)
        return "D:nan" if math.isnan(value) else "D:" + struct.pack(">d", value).hex()


def key_of(text):
    kind = text.token()
    text.expect(b" ")
    if kind == b"I":
        return f"I:{text.number(-(2**63), 2**63 - 1)}"
    if kind == b"D":
        return text.double()
    text.check(kind in (b"S", b"B"), f"a key of type {kind!r}")
    return "S:" + text.sized().hex() if kind == b"S" else "B:" + text.packed(False).hex()


def bin_of(text):
    text.expect(b"- ")
    kind = text.take(1)
    raw = text.maybe(b"!")
    text.check(not raw or kind in RAW_TYPES, f"a compact {kind!r}")
    text.expect(b" ")
    name = text.token()
    text.check(1 <= len(name) <= 15, f"the bin's name {name!r}")
    if kind == b"N":
        value = "N"
    else:
        text.expect(b" ")
        if kind == b"Z":
            value = "Z:" + {b"T": "true", b"F": "false"}[text.take(1)]
        elif kind == b"I":
            value = f"I:{text.number(-(2**63), 2**63 - 1)}"
        elif kind == b"D":
            value = text.double()
        elif kind in (b"S", b"G"):
            value = kind.decode() + ":" + text.sized().hex()
        else:
            text.check(kind in RAW_TYPES, f"a bin of type {kind!r}")
            value = kind.decode() + ":" + text.packed(raw).hex()
    text.expect(b"\n")
    return f"{name.hex()}={value}"


def record_of(text, namespace, first):
    key = "-"
    if first == b"k":
        text.expect(b" ")
        key = key_of(text)
        text.expect(b"\n+ n")
    text.expect(b" ")
    text.check(text.token() == namespace, "a record of another namespace")
    text.expect(b"\n+ d ")
    digest = text.unpacked(text.take(28))
    text.check(len(digest) == 20, "the digest")
    text.expect(b"\n")
    record_set = None
    if text.maybe(b"+ s "):
        record_set = text.token()
        text.check(record_set, "an empty set")
        text.expect(b"\n")
    text.expect(b"+ g ")
    generation = text.number(0, 2**16 - 1)
    text.expect(b"\n+ t ")
    void = text.number(0, 2**32 - 1)
    text.expect(b"\n+ b ")
    count = text.number(0, 2**16 - 1)
    text.expect(b"\n")
    bins = [bin_of(text) for _ in range(count)]
    text.check(len({one.split("=")[0] for one in bins}) == count, "a bin twice")
    return " ".join(["record", digest.hex(), shown(record_set), key, str(generation), str(void), *bins])


def shown(name):
    return name.hex() if name else "-"


def global_of(text, namespace, expressions):
    kind = text.take(1)
    text.expect(b" ")
    if kind == b"u":
        text.expect(b"L ")
        name = text.token()
        text.expect(b" ")
        body = text.sized()
        text.expect(b"\n")
        return f"function {name.hex()} {body.hex()}"
    text.check(kind == b"i" or (kind == b"e" and expressions), f"a definition {kind!r}")
    text.check(text.token() == namespace, "an index of another namespace")
    fields = []
    for _ in range(3):
        text.expect(b" ")
        fields.append(text.token())
    text.expect(b" 1 ")
    path = text.token()
    text.expect(b" ")
    data_type = text.take(1)
    packed = text.unpacked(text.token()) if text.maybe(b" ") else None
    text.expect(b"\n")
    text.check(fields[2] in (b"N", b"L", b"K", b"V") and data_type in (b"S", b"N", b"G", b"B"), "an index of another type")
    text.check((kind == b"e") == (not path), "a path and an expression")
    what = [shown(fields[0]), fields[1].hex(), fields[2].decode(), shown(path), data_type.decode(), shown(packed)]
    return " ".join(["expression" if kind == b"e" else "index", *what])


def file_of(text, first_of_all):
    text.expect(b"Version 3.")
    minor = text.number(1, 2)
    text.expect(b"\n# namespace ")
    namespace = text.token()
    text.expect(b"\n")
    text.check(text.maybe(b"# first-file\n") == first_of_all, "the mark of the first file")
    lines = []
    while text.maybe(b"* "):
        lines.append(global_of(text, namespace, minor == 2))
    while text.at < len(text.data):
        text.expect(b"+ ")
        lines.append(record_of(text, namespace, text.take(1)))
    return lines


def unwrapped(data, zstd, bits, pem):
    if bits:
        key = serialization.load_pem_private_key(pem, None)
        der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
        aes = algorithms.AES(hashlib.sha256(der).digest()[: bits // 8])
        block = Cipher(aes, modes.ECB()).decryptor()  # noqa: S305 - the format's own
        counter = (int.from_bytes(block.update(data[:16]), "big") + 1) % 2**128
        data = Cipher(aes, modes.CTR(counter.to_bytes(16, "big"))).decryptor().update(data[16:])
    if zstd:
        whole = ZstdDecompressor().decompressobj()
        data = whole.decompress(data)
        if not whole.eof or whole.unused_data:
            sys.exit("not one whole zstd frame")
    return data


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--zstd", action="store_true")
    arguments.add_argument("--aes", nargs=2, metavar=("BITS", "KEY"), default=("0", None))
    given = arguments.parse_args()
    bits, pem = int(given.aes[0]), given.aes[1] and pathlib.Path(given.aes[1]).read_bytes()
    pattern = re.compile(r"(metadata|[0-9]+)_.+_([0-9]+)\.asb")
    names = {int(pattern.fullmatch(file.name)[2]): file for file in given.folder.iterdir()}
    if sorted(names) != list(range(1, len(names) + 1)):
        sys.exit(f"the files' numbers: {sorted(names)}")
    lines = []
    for number, file in sorted(names.items()):
        lines += file_of(Text(unwrapped(file.read_bytes(), given.zstd, bits, pem), file.name), number == 1)
    print("\n".join(sorted(lines)))


main()
