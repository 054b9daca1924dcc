"""Keys and their wraps. Written from docs/format.md, "Data keys and the content key" and "Wrapped keys"."""
import base64
import hashlib
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from documents import FORMAT, check, identity, parse
from parts import hkdf


def field(value):
    return bytes([len(value)]) + value


class Ring:
    """The keys of a repository that one reader opens, by id in hex."""

    def __init__(self, store, repository, reader, key=None, passphrase=None):
        ring = parse(store.read("keys/ring.json"))
        check(ring["format"] <= FORMAT and identity(ring["repository"]) == repository, "keys/ring.json")
        self.id = identity(ring["ring"])
        self.keys = {}
        self.generations = {}
        self.derived = {}
        wraps = 0
        for name in store.list(f"keys/{self.id}/"):
            _, _, key_id, owner, nonce = name.split("/")
            if owner != reader:
                continue
            wraps += 1
            self._open(parse(store.read(name)), repository, key_id, reader, key, passphrase)
        check(wraps > 0, f"a wrap for {reader}")
        check(self.id in self.keys, "the content key")

    def _open(self, wrap, repository, key_id, reader, key, passphrase):
        check(wrap["format"] <= FORMAT, "a wrap of a newer format")
        check(identity(wrap["repository"]) == repository and identity(wrap["ring"]) == self.id, "a wrap's place")
        check(identity(wrap["key"]) == key_id and wrap["reader"] == reader, "a wrap's name")
        check((wrap["purpose"] == "content") == (key_id == self.id), "a wrap's purpose")
        salt, told, sealed, total = (base64.b64decode(wrap[name], validate=True) for name in ("salt", "check", "sealed", "sum"))
        check((len(salt), len(told), len(sealed), len(total)) == (32, 8, 48, 16), "the lengths in a wrap")
        generation = wrap["generation"]
        label = b"".join(map(field, (
            bytes.fromhex(repository), bytes.fromhex(self.id), bytes.fromhex(key_id), wrap["purpose"].encode(),
            struct.pack("<I", generation), reader.encode())))
        how = wrap["derivation"]
        derivation, material = b"\0", key
        if how["kind"] == "argon2id":
            cost = how["memory_kib"], how["passes"], how["lanes"]
            own_salt = base64.b64decode(how["salt"], validate=True)
            derivation = b"\1" + struct.pack("<III", *cost) + own_salt
            if (cost, own_salt) not in self.derived:
                work = Argon2id(salt=own_salt, length=32, iterations=cost[1], lanes=cost[2], memory_cost=cost[0])
                self.derived[cost, own_salt] = work.derive(passphrase)
            material = self.derived[cost, own_salt]
        else:
            check(how == {"kind": "direct"}, f"the derivation {how}")
        check(hashlib.sha256(label + derivation + salt + told + sealed).digest()[:16] == total, "the sum of a wrap")
        proof = HKDF(hashes.SHA256(), 8, salt, b"strongroom key check v1").derive(material)
        check(proof == told, "the reader's key fits")
        try:
            opened = AESGCM(hkdf(material, salt, b"strongroom wrap v1")).decrypt(bytes(12), sealed, label)
        except InvalidTag:
            check(False, "a wrap opens")
        check(self.keys.setdefault(key_id, opened) == opened, "two wraps of one key hold the same")
        self.generations[key_id] = generation

    def naming_key(self, repository):
        return hkdf(self.keys[self.id], bytes.fromhex(repository), b"strongroom content names v1")
