"""A SQLite database as a cluster: a freeze is a copy beside it (delete it when you like), an incremental their difference."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import strongroom as sr

TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"


class SQLiteCluster(sr.Cluster):
    def __init__(self, path):
        self.path = Path(path)

    def copy_of(self, moment):
        return Path(f"{self.path}.frozen-{moment:%Y%m%dT%H%M%S.%f}")

    def capabilities(self):
        return sr.Capabilities(incremental=True, deletes_seen=True)

    def describe(self):
        return sr.Description(str(uuid5(NAMESPACE_URL, self.path.resolve().as_uri())), "SQLite", {"main": sr.Part()})

    def freeze(self, request):
        if request.parts not in (None, {"main": sr.Filter()}):
            raise (sr.UnsupportedError if "main" in request.parts else sr.NotFoundError)("there is 'main', as a whole")
        since = request.since.get("main")
        with closing(connect(self.path)) as now, closing(connect(self.path)) as lock:
            lock.execute("BEGIN IMMEDIATE")  # nobody writes meanwhile
            until = datetime.now(timezone.utc)
            with closing(connect(self.copy_of(until))) as copy:
                now.backup(copy)
        tables, then = tables_of(self.copy_of(until)), since and self.copy_of(since)
        if then and (not then.exists() or tables_of(then).items() - tables.items()):
            raise sr.BrokenChainError(f"the copy of {since} is gone, or a table dropped or altered", "take a base")
        told = {"now": str(self.copy_of(until)), "then": then and str(then)}
        pieces = [sr.PieceSpec(name, detail={"table": name, "sql": sql, **told}) for name, sql in tables.items()]
        return [sr.FrozenPart("main", until, pieces, since, applies="exact", deletes="seen")]

    def read(self, piece):
        table, now, then = (piece.detail[name] for name in ("table", "now", "then"))
        old, records = dict(rows(then, table)) if then else {}, 0
        for rowid, row in rows(now, table):
            if old.pop(rowid, None) != row:
                records += 1
                yield b"[%d, %b]\n" % (rowid, row.encode())
        yield from (b"[%d, null]\n" % rowid for rowid in old)
        yield sr.PieceSummary(records, len(old))

    def check_restore(self, parts, options):
        return [] if options == sr.RestoreOptions() else ["it is restored as it was, into what is empty"]

    def begin_restore(self, id, parts, options):
        if refusals := self.check_restore(parts, options):
            raise sr.UnsupportedError(*refusals)
        for copy in self.path.parent.glob(f"{self.path.name}.frozen-*"):  # what comes next is a base
            copy.unlink()

    def write(self, session, step, part, piece, body):
        table, lines, done = piece.detail["table"], body.read().splitlines(), [0, 0]
        try:
            with closing(connect(self.path)) as db:
                db.execute("BEGIN IMMEDIATE")
                if table not in tables_of(self.path):
                    db.execute(piece.detail["sql"])
                for rowid, row in map(json.loads, lines):
                    names = "".join(f', "{name}"' for name in row or ())
                    change = f'REPLACE INTO "{table}" (rowid{names}) VALUES (?{", ?" * len(row or ())})'
                    change = change if row else f'DELETE FROM "{table}" WHERE rowid = ?'
                    values = (bytes.fromhex(*one) if isinstance(one, list) else one for one in (row or {}).values())
                    done[row is None] += db.execute(change, [rowid, *values]).rowcount
                db.execute("COMMIT")
        except (ValueError, TypeError, AttributeError, sqlite3.Error) as error:
            raise sr.CorruptError(f"these are no rows of '{table}': {error}") from error
        return sr.Applied(*done)


def connect(path):
    return sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)


def tables_of(path):
    with closing(connect(path)) as db:
        return dict(db.execute(TABLES))


def rows(path, table):
    if not Path(path).exists():
        raise sr.NotFoundError("the copy is not there any more", "freeze again")
    with closing(connect(path)) as db:
        db.row_factory = sqlite3.Row
        if table in tables_of(path):
            for row in db.execute(f'SELECT rowid, * FROM "{table}"'):
                yield row[0], json.dumps(dict(zip(row.keys()[1:], row[1:])), default=lambda raw: [raw.hex()])
