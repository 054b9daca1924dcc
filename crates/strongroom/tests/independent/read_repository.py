#!/usr/bin/env python3
"""Reads a repository with nothing of strongroom's own code: everything here was written from docs/format.md.

    read_repository.py FOLDER                                   a repository without keys
    read_repository.py FOLDER --reader NAME --key HEX           one that is sealed, with a key of 32 bytes
    read_repository.py FOLDER --reader NAME --passphrase TEXT

Checks all that the format says a reader checks, the catalogue against the manifests, and prints what it found as JSON: for
each backup its pieces with their size and the BLAKE3 of their plain bytes. Needs the packages of .ci/python-requirements.txt.
"""
import argparse
import json
import struct
import sys

import zstandard
from blake3 import blake3

from catalogue import Catalogue, condemned
from documents import Damage, Store, check, escaped, identity, one, open_document, parse
from keys import Ring
from parts import read_object, read_part


def read_list(store, repository, manifest, codecs, keys):
    """The list of pieces: a document that is stored as a part."""
    reference = manifest["pieces"]
    name = "list." + blake3(reference["key"].encode()).hexdigest()
    body = read_part(read_object(store, reference), repository, name, codecs, keys)
    return open_document(body, ["pieces"], repository, reference["key"])[1]


def check_folder(name, manifest):
    """Ids, part, timeline, kind and window must agree with the name of the folder."""
    window = manifest["window"]
    chain = f"{identity(manifest['cluster']['id'])},{escaped(manifest['part'])},{identity(manifest['timeline'])}"
    own = f"{window.get('from') or 0:018}-{window['until']:018}-{manifest['kind']}-{identity(manifest['backup'])}"
    check(name == f"backups/{chain}/{own}/manifest.json", f"a manifest at {name}")
    check(window["settled"] >= window["until"] and ("from" in window) == (manifest["kind"] != "base"), f"{name}: its window")


def content_name(manifest, part, content, naming_key):
    codecs = ",".join(part.get("codecs", manifest["codecs"]))
    text = "\n".join(("strongroom content", identity(manifest["cluster"]["id"]), codecs, content))
    return blake3(text.encode(), key=naming_key).hexdigest() if naming_key else blake3(text.encode()).hexdigest()


def read_piece(store, repository, manifest, piece, keys, naming_key, shared):
    plain = []
    for number, part in enumerate(piece["parts"]):
        data = read_object(store, part["object"])
        if "slice" in part:
            slice = part["slice"]
            data = data[slice["offset"]:slice["offset"] + slice["length"]]
            check(len(data) == slice["length"] and blake3(data).hexdigest() == slice["blake3"], "a slice")
        key = part["object"]["key"]
        if key.startswith("content/"):
            name = content_name(manifest, part, piece["spec"]["content"], naming_key)
            nonce = key.rpartition(".")[2]
            check(key == f"content/{name[:2]}/{name}.{nonce}", f"the name of {key}")
            check(part["part"] == f"content.{name}.{nonce}/0/0", f"the identity of {key}")
            check(shared[key]["content"] == name and shared[key]["part"] == part, f"{key} in the list of shared content")
        else:
            check(part["part"].startswith(f"backup.{identity(manifest['backup'])}."), f"the identity {part['part']}")
            check(part["part"].endswith(f"/{number}"), f"the number of a part, {part['part']}")
        body = read_part(data, repository, part["part"], part.get("codecs", manifest["codecs"]), keys)
        check(len(body) == part["plain_bytes"], "the plain bytes of a part")
        plain.append(body)
    plain = b"".join(plain)
    check(len(plain) == piece["plain_bytes"], "the plain bytes of a piece")
    return [len(plain), blake3(plain).hexdigest()]


def read_backup(store, repository, manifest, keys, naming_key):
    codecs = manifest["codecs"]
    shared = {}
    if manifest.get("shared"):
        name = manifest["shared"]["key"]
        for line in open_document(read_object(store, manifest["shared"]), ["shared"], repository, name)[1]:
            shared[line["part"]["object"]["key"]] = line
    pieces = read_list(store, repository, manifest, codecs, keys)
    check(len(pieces) == manifest["totals"]["pieces"], "the number of pieces")
    found = {}
    for piece in pieces:
        found[piece["spec"]["name"]] = read_piece(store, repository, manifest, piece, keys, naming_key, shared)
    check(len(found) == len(pieces), "names of pieces that differ")
    check(sum(size for size, _ in found.values()) == manifest["totals"]["plain_bytes"], "the plain bytes of a backup")
    return {"part": manifest["part"], "kind": manifest["kind"], "pieces": found}


def compare(entry, manifest, name):
    """What the catalogue says of a backup is what its manifest says."""
    for field in ("run", "timeline"):
        check(entry[field] == identity(manifest[field]), f"{name}: {field}")
    parent = manifest.get("parent")
    check(entry["parent"] == (identity(parent) if parent else None), f"{name}: parent")
    check(entry["cluster"] == identity(manifest["cluster"]["id"]), f"{name}: cluster")
    for field in ("part", "kind", "applies", "deletes"):
        check(entry[field] == manifest[field], f"{name}: {field}")
    window = {"from": None} | manifest["window"]
    check({"from": None} | entry["window"] == window, f"{name}: window")
    check(entry["manifest"] == name, f"{name}: its name")
    check((entry["status"] == "partial") == bool(manifest.get("missing")), f"{name}: status {entry['status']}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--reader")
    arguments.add_argument("--key")
    arguments.add_argument("--passphrase")
    arguments = arguments.parse_args()
    store = Store(arguments.folder)
    info = one(store.read("strongroom.json"), "repository", None, "strongroom.json")
    repository = identity(info["id"])
    one(store.read("strongroom.json"), "repository", repository, "strongroom.json")
    keys, naming_key = {}, None
    check(store.exists("keys/ring.json") == bool(arguments.reader), "a reader if and only if it is sealed")
    if arguments.reader:
        key = bytes.fromhex(arguments.key) if arguments.key else None
        passphrase = arguments.passphrase.encode() if arguments.passphrase else None
        ring = Ring(store, repository, arguments.reader, key, passphrase)
        keys, naming_key = ring.keys, ring.naming_key(repository)

    catalogue = Catalogue(store, repository)
    gone = condemned(store, repository)
    manifests, voids = {}, []
    for name in store.list("backups/"):
        if name.endswith("/manifest.json"):
            kind, lines = open_document(store.read(name), ["manifest", "void"], repository, name)
            if kind == "manifest":
                (manifest,) = lines
                check(manifest["format"] == 1, f"{name}: format")
                check_folder(name, manifest)
                manifests[identity(manifest["backup"])] = (name, manifest)
            else:
                voids.append(name)
    committed = set(catalogue.entries) | {backup for backup in catalogue.open if backup in manifests}
    check(committed == set(manifests), "the catalogue and the manifests name the same backups")
    backups = {}
    for backup, (name, manifest) in manifests.items():
        if backup in catalogue.entries:
            compare(catalogue.entries[backup], manifest, name)
        if backup not in gone:
            backups[backup] = read_backup(store, repository, manifest, keys, naming_key)

    kinds = {}
    for folder, kind in (("clusters/", "cluster"), ("leases/", "lease")):
        for name in store.list(folder):
            one(store.read(name), kind, repository, name)
            kinds[kind] = kinds.get(kind, 0) + 1
    found = {
        "repository": repository,
        "backups": backups,
        "seen": {
            "snapshot": catalogue.through, "records after it": catalogue.folded, "open": sorted(set(catalogue.open) - committed),
            "condemned": sorted(gone), "deleted": sorted(catalogue.deleted), "voids": len(voids), "keys": len(keys),
            "timelines": len(catalogue.timelines), "pins": sum(len(entry["pins"]) for entry in catalogue.entries.values()),
            "verified": sum(1 for entry in catalogue.entries.values() if entry.get("verified")),
            "copies": sum(1 for entry in catalogue.entries.values() if len(entry.get("copies") or []) > 1), **kinds,
        },
    }
    json.dump(found, sys.stdout, ensure_ascii=False, indent=1, sort_keys=True)
    print()


try:
    main()
except (Damage, KeyError, IndexError, ValueError, RuntimeError, struct.error, zstandard.ZstdError) as error:
    sys.exit(f"damaged: {type(error).__name__}: {error}")
