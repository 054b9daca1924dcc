"""Clusters."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

from . import _native
from ._adapters import Cluster, Storage
from ._errors import InvalidError, NotFoundError
from ._job import Call
from ._options import Names, names, place
from ._ports import native_cluster, native_storage
from ._reports import Topology
from ._session import session
from ._time import EPOCH, Moment, moment_to_json

#: What a record is known by.
Key = int | str | bytes | float
#: The value of a bin.
Value = int | float | str | bytes | bool | list[Any] | dict[Any, Any]


class OpenCluster:
    """An open cluster. Most calls take its URL as well, so that it need not be opened before."""

    def __init__(self, native: _native.Cluster) -> None:
        self._native = native

    @classmethod
    def open(cls, cluster: str, *, profiles: str | os.PathLike[str] | None = None) -> OpenCluster:
        """Opens a cluster by its name in the profiles or its URL.

        That is ``embedded:FILE``, ``aerospike://HOST:3000`` or ``cassandra://HOST:9042``.

        A live one is asked when it is first used.
        """
        return cls(Call(session(profiles).cluster(cluster, "write"), _native_cluster).result())

    def describe(self) -> Topology:
        """Who it is and what it holds."""
        return Call(self._native.describe(), lambda text: Topology.from_json(json.loads(text))).result()

    def capabilities(self) -> dict[str, Any]:
        """What it can do."""
        return Call(self._native.capabilities(), _loads).result()


def _native_cluster(native: _native.Cluster) -> _native.Cluster:
    return native


def _loads(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value


class EmbeddedCluster(OpenCluster):
    """A record cluster in one file: for a quick start, for restore drills, for looking into backups."""

    def __init__(self, native: _native.Cluster, path: str) -> None:
        super().__init__(native)
        self._records = native.records()
        self.path = path

    @classmethod
    def open(  # type: ignore[override]
        cls, path: str | os.PathLike[str], *, create: bool = False, read_only: bool = False
    ) -> EmbeddedCluster:
        """Opens a file. With ``create`` it is made if it is not there."""
        if create and read_only:
            raise InvalidError("a file that is made can't be read-only", "give create or read_only")
        access = "create" if create else "read" if read_only else "write"
        native = Call(session(None).cluster(f"embedded:{os.fspath(path)}", access), _native_cluster).result()
        return cls(native, os.fspath(path))

    def put(
        self,
        namespace: str,
        key: Key,
        bins: Mapping[str, Value],
        *,
        set: str | None = None,
        expires: datetime | None = None,
    ) -> None:
        """Writes a record, replacing what is there."""
        self.put_many(namespace, [(key, bins)], set=set, expires=expires)

    def put_many(
        self,
        namespace: str,
        records: Iterable[tuple[Key, Mapping[str, Value]]],
        *,
        set: str | None = None,
        expires: datetime | None = None,
    ) -> None:
        """Writes records in one transaction: all of them, or none."""
        seconds = 0
        if expires is not None:
            micros = moment_to_json(expires)
            seconds = (expires - EPOCH).days * 86400 + (expires - EPOCH).seconds if isinstance(micros, int) else 0
        self._records.put(namespace, set, [(key, dict(bins)) for key, bins in records], seconds)

    def get(self, namespace: str, key: Key, *, set: str | None = None, now: Moment | None = None) -> _native.Record:
        """One record. Raises ``NotFoundError``, which is a ``KeyError`` too."""
        found = self._records.get(namespace, set, key, _micros(now))
        if found is None:
            raise NotFoundError(f"no record with key {key!r} in namespace '{namespace}'", "a key belongs to a set")
        return found

    def delete(self, namespace: str, *keys: Key, set: str | None = None) -> int:
        """Deletes records, and says how many were there."""
        return self._records.delete(namespace, set, list(keys))

    def empty(self, namespace: str, *, set: Names | None = None) -> int:
        """Deletes every record, or those of some sets, and says how many were there."""
        return self._records.empty(namespace, names(set) or None)

    def scan(
        self, namespace: str, *, set: Names | None = None, now: Moment | None = None, batch: int = 512
    ) -> Iterator[_native.Record]:
        """All records, in the state of now, whatever is written meanwhile."""
        for records in self.batches(namespace, set=set, now=now, batch=batch):
            yield from records

    def batches(
        self, namespace: str, *, set: Names | None = None, now: Moment | None = None, batch: int = 512
    ) -> Iterator[list[_native.Record]]:
        """The same in lists of at most ``batch`` records: faster than one after the other."""
        scan = self._records.scan(namespace, names(set) or None, _micros(now))
        while records := scan.batch(batch):
            yield records

    def namespaces(self) -> dict[str, dict[str, Any]]:
        """What is in it: by namespace the count of records, by set too, and the indexes."""
        return _loads(self._records.namespaces())

    def hash(self, namespace: str) -> str:
        """One hash over all records of a namespace: the same for the same records, wherever they are."""
        return self._records.hash(namespace)

    def close(self) -> None:
        """Does nothing but end the ``with`` block: the file is closed when nothing uses it any more."""

    def __enter__(self) -> EmbeddedCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}: {about['records']} records" for name, about in self.namespaces().items())
        return f"<EmbeddedCluster {self.path}: {parts or 'empty'}>"


class Inspection(EmbeddedCluster):
    """A state of a repository, to be looked into: a file that is gone when this is closed or dropped."""

    def __init__(self, native: _native.Cluster) -> None:
        super().__init__(native, "a state of a repository")

    def close(self) -> None:
        """Deletes the file. Scans that run keep what they need to their end."""
        vars(self).pop("_native", None)
        vars(self).pop("_records", None)

    def __getattr__(self, name: str) -> Any:
        if name in ("_native", "_records"):
            raise InvalidError("the state is closed", "look into it again: inspect")
        raise AttributeError(name)

    def __repr__(self) -> str:
        return super().__repr__() if "_records" in vars(self) else "<Inspection: closed>"


def _micros(moment: Moment | None) -> int | None:
    micros = moment_to_json(moment)
    if isinstance(micros, str):
        raise InvalidError(f"'{micros}' as a moment to look at", "give a datetime")
    return micros


def party(cluster: str | os.PathLike[str] | OpenCluster | Cluster, *, on_loop: bool) -> str | _native.Cluster:
    """A cluster for the native half."""
    if isinstance(cluster, OpenCluster):
        return cluster._native
    if isinstance(cluster, Cluster):
        return native_cluster(cluster, on_loop=on_loop)
    return cluster if isinstance(cluster, str) else f"embedded:{place(cluster)}"


def storage_at(where: str | os.PathLike[str] | Storage, *, on_loop: bool) -> str | _native.Storage:
    """A storage for the native half."""
    return native_storage(where, on_loop=on_loop) if isinstance(where, Storage) else place(where)
