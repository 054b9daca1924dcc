"""Documents: lines of JSON between a head and a hash. Written from docs/format.md, "The frame of documents"."""
import json
import os
import re
import uuid

from blake3 import blake3

FORMAT = 1
SEGMENT = re.compile(r"[A-Za-z0-9\-_.%=+@~,]{1,255}")


class Damage(Exception):
    """Something is not what the format says."""


def check(condition, what):
    if not condition:
        raise Damage(what)


class Store:
    """A repository in a folder; counts the bytes of what was read, and refuses names that the format does not allow."""

    def __init__(self, root):
        self.root = root

    def read(self, name):
        for segment in name.split("/"):
            check(SEGMENT.fullmatch(segment), f"a segment of {name!r}")
        with open(os.path.join(self.root, name), "rb") as file:
            return file.read()

    def exists(self, name):
        return os.path.isfile(os.path.join(self.root, name))

    def list(self, prefix):
        found = []
        for folder, _, files in os.walk(os.path.join(self.root, prefix)):
            found += [os.path.relpath(os.path.join(folder, file), self.root) for file in files]
        return sorted(found)


def identity(text):
    """An id, as 32 hex digits."""
    return uuid.UUID(text).hex


def parse(line):
    def no_doubles(pairs):
        names = [name for name, _ in pairs]
        check(len(names) == len(set(names)), f"a field twice in {line[:80]!r}")
        return dict(pairs)
    return json.loads(line, object_pairs_hook=no_doubles)


def open_document(data, kinds, repository, name):
    """The body: a list of lines, or for a snapshot all bytes between the head and the last line."""
    last = data[-78:]
    check(len(data) > 78 and last.startswith(b'{"blake3":"') and last.endswith(b'"}\n'), f"{name}: no last line")
    check(parse(last)["blake3"] == blake3(data[:-78]).hexdigest(), f"{name}: another hash")
    head, _, body = data[:-78].partition(b"\n")
    head = parse(head)
    check(set(head) >= {"strongroom", "format", "repository", "name", "nonce"}, f"{name}: its head {head}")
    check(head["format"] <= FORMAT, f"{name}: format {head['format']}, this reader knows {FORMAT}")
    check(re.fullmatch("[0-9a-f]{32}", head["nonce"]), f"{name}: its nonce")
    check(head["strongroom"] in kinds, f"{name}: kind {head['strongroom']}, not one of {kinds}")
    if repository is not None:
        check(identity(head["repository"]) == repository, f"{name}: of another repository")
    check(head["name"] == name, f"{name}: it was written as {head['name']!r}")
    if head["strongroom"] == "snapshot":
        return body
    check(body == b"" or body.endswith(b"\n"), f"{name}: a body without its last line feed")
    return head["strongroom"], [parse(line) for line in body.split(b"\n")[:-1]]


def one(data, kind, repository, name):
    """The one value of a document."""
    _, lines = open_document(data, [kind], repository, name)
    check(len(lines) == 1, f"{name}: {len(lines)} values")
    return lines[0]


def escaped(text):
    """Text from outside as a segment of a name."""
    allowed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+@~,"
    out = ""
    for at, byte in enumerate(text.encode()):
        out += chr(byte) if byte in allowed and not (at == 0 and byte == ord(".")) else f"%{byte:02X}"
    if len(out) > 160:
        out = out[:127] + "~" + blake3(text.encode()).hexdigest()[:32]
    return out or "%"
