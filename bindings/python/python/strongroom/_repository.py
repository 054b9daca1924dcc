"""Repositories: the calls of `Calls`, waited for or awaited."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from . import _native
from ._adapters import Codec, Storage
from ._calls import Calls, Place
from ._cluster import storage_at
from ._job import Call, Job
from ._options import Names, names, place
from ._reports import RepositoryInfo
from ._session import session

P = ParamSpec("P")
T = TypeVar("T")
Begun = Call[T] | Job[T]


def _waits(call: Callable[Concatenate[Calls, P], Begun[T]]) -> Callable[Concatenate[Repository, P], T]:
    @functools.wraps(call)
    def wait(self: Repository, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return call(self.start, *args, **kwargs).result()

    return wait


def _awaits(
    call: Callable[Concatenate[Calls, P], Begun[T]],
) -> Callable[Concatenate[AsyncRepository, P], Coroutine[Any, Any, T]]:
    @functools.wraps(call)
    async def begin(self: AsyncRepository, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await call(self.start, *args, **kwargs)

    return begin


Profiles = str | os.PathLike[str]


def _opened(
    where: Place,
    codecs: str | None,
    keys: Names | None,
    profiles: Profiles | None,
    own_codecs: Iterable[Codec],
    *,
    on_loop: bool,
) -> Call[_native.Repository]:
    task = session(profiles, own_codecs).repository(storage_at(where, on_loop=on_loop), codecs, names(keys))
    return Call(task, lambda native: native)


def _made(
    where: Place,
    codecs: str | None,
    keys: Names | None,
    profiles: Profiles | None,
    own_codecs: Iterable[Codec],
    *,
    on_loop: bool,
) -> Call[_native.Repository]:
    task = session(profiles, own_codecs).init(storage_at(where, on_loop=on_loop), codecs, names(keys))
    return Call(task, lambda native: native)


class _Base:
    def __init__(self, native: _native.Repository, where: Place, *, on_loop: bool) -> None:
        self.start = Calls(native, on_loop=on_loop)
        """Begins the same calls without waiting for them: jobs with progress, events and cancel."""
        self._where = repr(where) if isinstance(where, Storage) else _native.redact(place(where))

    @property
    def info(self) -> RepositoryInfo:
        """Its id, when it was made, and the codecs of new backups."""
        return self.start.info

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.info.repository} at {self._where}, codecs {', '.join(self.info.codecs)}>"


class Repository(_Base):
    """A repository: holds backups, and the catalogue of them.

    Every method waits until it is done. ``repository.start`` has the same methods, and gives running jobs.
    """

    @classmethod
    def open(
        cls,
        where: Place,
        *,
        codecs: str | None = None,
        keys: Names | None = None,
        profiles: Profiles | None = None,
        own_codecs: Iterable[Codec] = (),
    ) -> Repository:
        """Opens the repository in a folder, at a URL, or of that name in the profiles.

        ``codecs`` are those of new backups; ``keys`` are names in the profiles. ``own_codecs`` are written by you: what
        they wrote can be read, and their names may stand among ``codecs``, as in ``zstd,mine,seal``.
        """
        return cls(_opened(where, codecs, keys, profiles, own_codecs, on_loop=False).result(), where, on_loop=False)

    @classmethod
    def init(
        cls,
        where: Place,
        *,
        codecs: str | None = None,
        keys: Names | None = None,
        profiles: Profiles | None = None,
        own_codecs: Iterable[Codec] = (),
    ) -> Repository:
        """Makes a repository where none is.

        ``codecs``: none, lz4, zstd or zstd:LEVEL, each may be followed by the names of ``own_codecs`` and by ,seal.
        """
        return cls(_made(where, codecs, keys, profiles, own_codecs, on_loop=False).result(), where, on_loop=False)

    catalogue = _waits(Calls.catalogue)
    clusters = _waits(Calls.clusters)
    plan = _waits(Calls.plan)
    explain = _waits(Calls.explain)
    check = _waits(Calls.check)
    windows = _waits(Calls.windows)
    pin = _waits(Calls.pin)
    unpin = _waits(Calls.unpin)
    hold = _waits(Calls.hold)
    release = _waits(Calls.release)
    backup = _waits(Calls.backup)
    resume = _waits(Calls.resume)
    restore = _waits(Calls.restore)
    inspect = _waits(Calls.inspect)
    verify = _waits(Calls.verify)
    copy = _waits(Calls.copy)
    prune = _waits(Calls.prune)
    delete = _waits(Calls.delete)
    synthesize = _waits(Calls.synthesize)


class AsyncRepository(_Base):
    """The same for asyncio: every method is awaited. A cancelled await cancels the job and waits until it has ended."""

    @classmethod
    async def open(
        cls,
        where: Place,
        *,
        codecs: str | None = None,
        keys: Names | None = None,
        profiles: Profiles | None = None,
        own_codecs: Iterable[Codec] = (),
    ) -> AsyncRepository:
        """As ``Repository.open``."""
        return cls(await _opened(where, codecs, keys, profiles, own_codecs, on_loop=True), where, on_loop=True)

    @classmethod
    async def init(
        cls,
        where: Place,
        *,
        codecs: str | None = None,
        keys: Names | None = None,
        profiles: Profiles | None = None,
        own_codecs: Iterable[Codec] = (),
    ) -> AsyncRepository:
        """As ``Repository.init``."""
        return cls(await _made(where, codecs, keys, profiles, own_codecs, on_loop=True), where, on_loop=True)

    catalogue = _awaits(Calls.catalogue)
    clusters = _awaits(Calls.clusters)
    plan = _awaits(Calls.plan)
    explain = _awaits(Calls.explain)
    check = _awaits(Calls.check)
    windows = _awaits(Calls.windows)
    pin = _awaits(Calls.pin)
    unpin = _awaits(Calls.unpin)
    hold = _awaits(Calls.hold)
    release = _awaits(Calls.release)
    backup = _awaits(Calls.backup)
    resume = _awaits(Calls.resume)
    restore = _awaits(Calls.restore)
    inspect = _awaits(Calls.inspect)
    verify = _awaits(Calls.verify)
    copy = _awaits(Calls.copy)
    prune = _awaits(Calls.prune)
    delete = _awaits(Calls.delete)
    synthesize = _awaits(Calls.synthesize)
