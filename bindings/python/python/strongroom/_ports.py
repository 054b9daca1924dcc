"""Between the native half and adapters written in Python: one `invoke` for plain and async methods alike."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, fields
from itertools import islice
from typing import Any

from . import _native
from ._adapters import (
    Cluster,
    Codec,
    Description,
    Filter,
    FreezeRequest,
    FrozenPart,
    ObjectMeta,
    PieceSpec,
    PieceSummary,
    RestoreOptions,
    RestoreSession,
    Storage,
)
from ._errors import InvalidError
from ._job import ended, wait
from ._reports import Applied
from ._time import moment_from_json, moment_to_json

Loop = asyncio.AbstractEventLoop


@functools.cache
def own_loop() -> Loop:
    """The loop of async adapters that were handed over outside of any loop."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="strongroom-adapters", daemon=True).start()
    return loop


def loop_for(on_loop: bool) -> Loop | None:
    """The running loop, for what is awaited; a call that waits would block it."""
    return asyncio.get_running_loop() if on_loop else None


class Port:
    """Calls methods, plain or async, and tells the native half what came of it."""

    def __init__(self, loop: Loop | None) -> None:
        self._loop = loop

    def invoke(self, method: str, arguments: tuple[Any, ...], done: _native.Done) -> Future[Any] | None:
        """Calls a method of this port. Gives what can be cancelled, if it is async."""
        try:
            value = getattr(self, method)(*arguments)
            if inspect.isawaitable(value):
                future = asyncio.run_coroutine_threadsafe(_awaited(value), self._loop or own_loop())
                future.add_done_callback(functools.partial(_tell, done))
                return future
        except BaseException as error:  # noqa: BLE001, the native half takes it from here
            done.failed(error)
        else:
            done.ok(value)
        return None

    def _then(self, value: Any, read: Callable[[Any], Any]) -> Any:
        """What ``read`` makes of a value, now or when it is there."""
        return _read_later(value, read) if inspect.isawaitable(value) else read(value)


async def _awaited(value: Any) -> Any:
    return await value


async def _read_later(value: Any, read: Callable[[Any], Any]) -> Any:
    return read(await value)


def _tell(done: _native.Done, future: Future[Any]) -> None:
    if future.cancelled():
        done.failed(asyncio.CancelledError("the call was cancelled"))
    elif (error := future.exception()) is not None:
        done.failed(error)
    else:
        done.ok(future.result())


class Items(Port):
    """Something that is iterated over, plain or async, some at a time."""

    def __init__(self, loop: Loop | None, source: Any, read: Callable[[Any], Any]) -> None:
        super().__init__(loop)
        self._read = read
        self._plain = None if hasattr(source, "__aiter__") else iter(source)
        self._async = aiter(source) if hasattr(source, "__aiter__") else None

    def step(self, many: int) -> Any:
        """The next ones; none: that was all."""
        if self._plain is not None:
            return [self._read(one) for one in islice(self._plain, many)]
        return self._step(many)

    async def _step(self, many: int) -> list[Any]:
        found: list[Any] = []
        if self._async is not None:
            async for one in self._async:
                found.append(self._read(one))
                if len(found) == many:
                    break
        return found


def _bytes(chunk: Any) -> bytes:
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise InvalidError(f"an adapter gave {type(chunk).__name__}", "give bytes")
    return bytes(chunk)


def _meta(meta: ObjectMeta) -> tuple[str, int, int | None]:
    modified = moment_to_json(meta.modified)
    return meta.key, meta.size, modified if isinstance(modified, int) else None


class UploadPort(Port):
    """An upload."""

    def __init__(self, loop: Loop | None, upload: Any) -> None:
        super().__init__(loop)
        self.write = upload.write
        self.abort = upload.abort
        self._finish = upload.finish

    def finish(self) -> Any:
        """Makes the object visible."""
        return self._then(self._finish(), _meta)


class StoragePort(Port):
    """A storage."""

    def __init__(self, loop: Loop | None, storage: Storage) -> None:
        super().__init__(loop)
        self._storage = storage
        self.delete = storage.delete

    def create(self, key: str, mode: Any) -> Any:
        """Begins an object."""
        return self._then(self._storage.create(key, mode), functools.partial(UploadPort, self._loop))

    def read(self, key: str, range: tuple[int, int] | None) -> Any:
        """The bytes of an object."""
        return self._then(self._storage.read(key, range), self._chunks)

    def _chunks(self, source: Any) -> Items:
        whole = isinstance(source, (bytes, bytearray, memoryview))
        return Items(self._loop, [source] if whole else source, _bytes)

    def stat(self, key: str) -> Any:
        """Size and time of an object."""
        return self._then(self._storage.stat(key), _meta)

    def list(self, prefix: str) -> Any:
        """The objects below a prefix."""
        return self._then(self._storage.list(prefix), lambda source: Items(self._loop, source, _meta))

    def __repr__(self) -> str:
        return repr(self._storage)


class Body:
    """The bytes of a piece that is restored, to be iterated over, plain or async, to their end."""

    def __init__(self, native: _native.Body) -> None:
        self._native = native

    def __iter__(self) -> Iterator[bytes]:
        while True:
            task = self._native.next()
            wait(task, task.cancel)
            chunk: bytes | None = task.result()
            if chunk is None:
                return
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            task = self._native.next()
            await ended(task, task.cancel)
            chunk: bytes | None = task.result()
            if chunk is None:
                return
            yield chunk

    def read(self) -> bytes:
        """All of them: only for pieces that are known to be small."""
        return b"".join(self)


def _sparse(value: Any) -> dict[str, Any]:
    """A dataclass without what is not said."""
    return {name: one for name, one in asdict(value).items() if one is not None}


def _described(about: Description) -> str:
    identity = {"id": uuid.UUID(about.id).hex, "name": about.name, "fingerprint": about.fingerprint}
    parts = {name: _sparse(part) for name, part in about.parts.items()}
    node = {"id": about.name or "node"}
    return json.dumps({"identity": identity, "version": about.version, "nodes": [node], "parts": parts})


def _filter_from_json(raw: dict[str, Any]) -> Filter:
    return Filter(**{one.name: raw.get(one.name) for one in fields(Filter)})


def _part_to_json(part: FrozenPart) -> dict[str, Any]:
    window = {"until": moment_to_json(part.until), "settled": moment_to_json(part.settled or part.until)}
    if part.start is not None:
        window["from"] = moment_to_json(part.start)
    return {
        "part": part.part,
        "filter": _sparse(part.filter),
        "window": window,
        "applies": part.applies,
        "deletes": part.deletes,
        "pieces": [_sparse(piece) for piece in part.pieces],
        "missing": part.missing,
        "notes": part.notes,
    }


def _part_from_json(raw: dict[str, Any]) -> FrozenPart:
    window = raw["window"]
    return FrozenPart(
        part=raw["part"],
        until=moment_from_json(window["until"]),
        settled=moment_from_json(window["settled"]),
        start=moment_from_json(window["from"]) if "from" in window else None,
        pieces=[_piece(piece) for piece in raw["pieces"]],
        applies=raw["applies"],
        deletes=raw["deletes"],
        filter=_filter_from_json(raw["filter"]),
        missing=raw["missing"],
        notes=raw["notes"],
    )


def _piece(raw: dict[str, Any]) -> PieceSpec:
    return PieceSpec(**{one.name: raw[one.name] for one in fields(PieceSpec) if one.name in raw})


def _item(item: Any) -> bytes | str:
    if isinstance(item, PieceSummary):
        return json.dumps(_sparse(item) | ({"settled": moment_to_json(item.settled)} if item.settled else {}))
    return _bytes(item)


def _options(raw: dict[str, Any]) -> RestoreOptions:
    known = {one.name: raw[one.name] for one in fields(RestoreOptions) if one.name in raw}
    now = known.get("now")
    return RestoreOptions(**(known | {"now": None if now is None else moment_from_json(now)}))


def _session(text: str) -> RestoreSession:
    raw = json.loads(text)
    return RestoreSession(raw["id"], _options(raw["options"]), raw.get("detail"))


def _applied(applied: Applied) -> str:
    counts = asdict(applied)
    del counts["raw"]
    return json.dumps(counts)


class ClusterPort(Port):
    """A cluster: what is asked and answered goes as JSON."""

    def __init__(self, loop: Loop | None, cluster: Cluster) -> None:
        super().__init__(loop)
        self._cluster = cluster

    def describe(self) -> Any:
        """Who it is."""
        return self._then(self._cluster.describe(), _described)

    def freeze(self, request: str) -> Any:
        """Fixes a state."""
        raw = json.loads(request)
        parts = raw["scope"].get("parts")
        asked = FreezeRequest(
            None if parts is None else {name: _filter_from_json(one) for name, one in parts.items()},
            {name: moment_from_json(since) for name, since in raw["since"].items()},
        )
        told = self._cluster.freeze(asked)
        return self._then(told, lambda found: json.dumps({"parts": [_part_to_json(part) for part in found]}))

    def read(self, piece: str) -> Any:
        """The bytes of a piece."""
        told = self._cluster.read(_piece(json.loads(piece)))
        return self._then(told, lambda source: Items(self._loop, source, _item))

    def release(self, frozen: str) -> Any:
        """Lets go."""
        return self._cluster.release([_part_from_json(part) for part in json.loads(frozen)["parts"]])

    def remembers(self, part: str, until: int) -> Any:
        """Whether a history goes on."""
        return self._cluster.remembers(part, moment_from_json(until))

    def check_restore(self, outline: str, options: str) -> Any:
        """What speaks against a restore."""
        told = self._cluster.check_restore(json.loads(outline)["parts"], _options(json.loads(options)))
        return self._then(told, lambda refusals: json.dumps({"refusals": list(refusals), "warnings": []}))

    def begin_restore(self, id: str, outline: str, options: str) -> Any:
        """Begins a restore."""
        told = self._cluster.begin_restore(id, json.loads(outline)["parts"], _options(json.loads(options)))
        return self._then(told, json.dumps)

    def write(self, session: str, step: int, part: str, piece: str, body: _native.Body) -> Any:
        """Writes a piece."""
        told = self._cluster.write(_session(session), step, part, _piece(json.loads(piece)), Body(body))
        return self._then(told, _applied)

    def seal_step(self, session: str, step: int) -> Any:
        """The barrier after a step."""
        return self._cluster.seal_step(_session(session), step)

    def finish_restore(self, session: str) -> Any:
        """Ends a restore."""
        told = self._cluster.finish_restore(_session(session))
        return self._then(told, lambda warnings: json.dumps({"warnings": list(warnings or [])}))

    def abort_restore(self, session: str) -> Any:
        """Gives up a restore."""
        return self._cluster.abort_restore(_session(session))

    def __repr__(self) -> str:
        return repr(self._cluster)


def native_storage(storage: Storage, *, on_loop: bool) -> _native.Storage:
    """A storage written in Python, for the native half."""
    return _native.Storage.of(StoragePort(loop_for(on_loop), storage))


def native_cluster(cluster: Cluster, *, on_loop: bool) -> _native.Cluster:
    """A cluster written in Python, for the native half."""
    abilities = {
        "held_snapshots": False,
        "log_archive": False,
        "fold": False,
        "definitions_last": False,
        **asdict(cluster.capabilities()),
    }
    return _native.Cluster.of(ClusterPort(loop_for(on_loop), cluster), json.dumps(abilities))


def native_codec(codec: Codec) -> _native.Codec:
    """A codec written in Python, for the native half."""
    return _native.Codec.of(codec.id, codec)
