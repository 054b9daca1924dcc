"""The catalogue: segments, snapshots and their packed entries. Written from docs/format.md, "Catalogue"."""
import json
import uuid

from documents import Damage, check, identity, one, open_document, parse

FLAGS = {"parent": 1, "verified": 2, "pins": 4, "locks": 8}
PINS = ["pin", "hold", "lease"]
SET_BY = 16


class Bytes:
    """Reads what stands one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        check(len(piece) == count, "packed entries that end too early")
        self.at += count
        return piece

    def number(self):
        value = 0
        for place in range(10):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                check(value < 1 << 64, "a number of 64 bits")
                return value
        raise Damage("a number of more than ten bytes")

    def signed(self):
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def text(self):
        return self.take(self.number()).decode("utf-8")

    def id(self):
        return self.take(16).hex()

    def part(self):
        return Bytes(self.take(self.number()))

    def end(self):
        check(self.at == len(self.data), "bytes after the packed entries")


def wrapped(value):
    """Differences wrap at 64 bits."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def unpack(data):
    """The entries of a snapshot, by id."""
    whole = Bytes(data)
    classes = json.loads(whole.part().data)
    shapes = [whole.take(whole.number()) for _ in range(whole.number())]
    rows, until = [], 0
    for _ in range(whole.number()):
        number = whole.number()
        check(number < len(classes), "a class")
        until = wrapped(until + whole.signed())
        begins = whole.take(1)[0]
        check(begins in (0, 1), "whether there is a from")
        start = wrapped(until - whole.signed()) if begins else None
        row = {"class": classes[number], "until": until, "from": start, "settled": wrapped(until + whole.signed())}
        row["id"], row["length"] = whole.id(), whole.number()
        if row["class"]["kind"] == "log-segment":
            row["place"] = (whole.number(), whole.number())
            if whole.take(1)[0]:
                row["previous"] = (whole.number(), whole.number())
        rows.append(row)
    details = whole.part()
    whole.end()
    entries = {}
    for row in rows:
        entry = unpack_details(Bytes(details.take(row["length"])), row, shapes)
        check(entry["id"] not in entries, "a backup twice")
        entries[entry["id"]] = entry
    details.end()
    return entries


def unpack_details(data, row, shapes):
    common = row["class"]
    flags = data.take(1)[0]
    check(flags < 16 and bool(flags & FLAGS["verified"]) == (common["verified"] is not None), "the flags of a row")
    entry = {name: common.get(name) for name in ("part", "kind", "applies", "deletes", "filter", "status")}
    entry |= {"id": row["id"], "window": {"from": row["from"], "until": row["until"], "settled": row["settled"]}}
    entry |= {"cluster": identity(common["cluster"]), "timeline": identity(common["timeline"])}
    entry |= {"run": data.id(), "created": wrapped(row["settled"] + data.signed())}
    entry["size"] = dict(zip(("records", "deletes", "objects", "plain", "stored"), (data.number() for _ in range(5))))
    shape = data.number()
    check(shape < len(shapes), "a shape")
    digits = lambda moment: b"%018d" % (moment or 0)
    places = {1: row["id"].encode(), 2: digits(row["from"]), 3: digits(row["until"])}
    entry["manifest"] = b"".join(places.get(byte, bytes([byte])) for byte in shapes[shape]).decode()
    entry["parent"] = data.id() if flags & FLAGS["parent"] else None
    if flags & FLAGS["verified"]:
        entry["verified"] = {"when": wrapped(entry["created"] + data.signed()), "depth": common["verified"]}
    entry["pins"] = []
    for _ in range(data.number() if flags & FLAGS["pins"] else 0):
        kind, reason, ends, when = data.take(1)[0], data.text(), data.take(1)[0], data.signed()
        pin = {"kind": PINS[kind & ~SET_BY], "reason": reason, **({"until": when} if ends else {})}
        if kind & SET_BY:
            by, known, when = data.text(), data.take(1)[0], data.signed()
            pin.update({**({"by": by} if by else {}), **({"set": when} if known else {})})
        entry["pins"].append(pin)
    entry["copies"] = [dict(copy) for copy in common.get("copies") or []]
    for _ in range(data.number() if flags & FLAGS["locks"] else 0):
        number = data.number()
        check(number < len(entry["copies"]), "a copy")
        entry["copies"][number]["locked_until"] = data.signed()
    data.end()
    return entry


class Catalogue:
    """All that the catalogue says, by the way of listing it."""

    def __init__(self, store, repository):
        self.entries, self.open, self.timelines, self.deleted = {}, {}, {}, {}
        segments, snapshots = {}, {}
        for name in store.list("catalogue/"):
            number, _, kind = name.removeprefix("catalogue/").partition(".")
            check(len(number) == 12 and kind in ("", "snapshot"), name)
            (snapshots if kind else segments)[int(number)] = name
        self.through = max(snapshots, default=0)
        if snapshots:
            self._snapshot(store, repository, snapshots[self.through])
        self.folded = 0
        for number in range(self.through + 1, max(segments, default=0) + 1):
            check(number in segments, f"segment {number}")
            name = segments[number]
            for record in open_document(store.read(name), ["segment"], repository, name)[1]:
                self._fold(record)
                self.folded += 1

    def _snapshot(self, store, repository, name):
        check(self.through % 8 == 0, "the number of a snapshot")
        body = open_document(store.read(name), ["snapshot"], repository, name)
        records = []
        while not records or records[-1]["record"] != "packed":
            line, found, body = body.partition(b"\n")
            check(found, "a snapshot without packed entries")
            records.append(parse(line))
        check(len(body) == records[-1]["bytes"] + 1 and body.endswith(b"\n"), "the length of packed entries")
        check(records[0]["record"] == "snapshot" and records[0]["through"] == self.through, "the first record of a snapshot")
        self.entries = unpack(body[:-1])
        for record in records[:-1]:
            self._fold(record)

    def _fold(self, record):
        kind = record["record"]
        backup = identity(record["backup"]) if "backup" in record else None
        entry = self.entries.get(backup)
        if kind == "begin":
            self.deleted.pop(backup, None)
            if entry is None:
                self.open[backup] = record
        elif kind == "end":
            entry = dict(record["entry"])
            backup = entry["id"] = identity(entry["id"])
            if backup not in self.deleted and backup not in self.entries:
                for name in ("cluster", "timeline", "run", "parent"):
                    entry[name] = identity(entry[name]) if entry.get(name) else None
                entry.setdefault("pins", [])
                self.entries[backup] = entry
                self.open.pop(backup, None)
        elif kind == "voided":
            self.open.pop(backup, None)
        elif kind == "deleted":
            for gone in map(identity, record["backups"]):
                self.entries.pop(gone, None)
                self.open.pop(gone, None)
                self.deleted[gone] = record["at"]
        elif kind == "timeline":
            self.timelines[identity(record["id"])] = record
        elif kind in ("snapshot", "mended") or entry is None:
            pass
        elif kind == "verified":
            if record["verified"]["when"] >= (entry.get("verified") or {"when": 0})["when"]:
                entry["verified"] = record["verified"]
        elif kind == "status":
            entry["status"] = record["status"]
        elif kind == "pinned":
            entry["pins"] = [pin for pin in entry["pins"] if pin != record["pin"]] + [record["pin"]]
        elif kind == "unpinned":
            entry["pins"] = [pin for pin in entry["pins"] if pin != record["pin"]]
        elif kind == "copied":
            copies = entry.get("copies") or [{"storage": "home"}]
            held = record["held"]
            entry["copies"] = [copy for copy in copies if copy["storage"] != held["storage"]] + [held]


def condemned(store, repository):
    """The backups that stand in a list that is not done."""
    gone = set()
    names = store.list("condemned/")
    for name in names:
        if name.endswith(".done"):
            one(store.read(name), "done", repository, name)
            continue
        lines = open_document(store.read(name), ["condemned"], repository, name)[1]
        check("list" in lines[0], f"{name}: its first line")
        for line in lines[1:]:
            check(set(line) <= {"backup", "unfinished", "content"}, f"{name}: a line {line}")
            if f"{name}.done" not in names and "backup" in line:
                gone.add(identity(line["backup"]["backup"]))
    return gone
