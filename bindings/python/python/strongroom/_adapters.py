"""Your own adapters: subclass `Storage`, `Cluster` or `Codec`, and hand it to the engine.

Each method may be plain or ``async``. A plain one runs in a thread of its own, so it may wait; an async one runs on the event
loop that the adapter was handed over on, or else on one that strongroom keeps. Raise the builtin that fits, or an exception of
strongroom: both keep their meaning. `strongroom.testing` has the contract of each as a test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from ._reports import Applied

if TYPE_CHECKING:
    from ._ports import Body

T = TypeVar("T")
#: What a method gives, plain or async.
Maybe: TypeAlias = T | Awaitable[T]
#: Bytes, whole or one chunk after the other.
Chunks: TypeAlias = bytes | Iterable[bytes] | AsyncIterable[bytes]


@dataclass(frozen=True)
class ObjectMeta:
    """What a storage knows of an object."""

    key: str
    size: int
    modified: datetime | None = None


class Upload(ABC):
    """An object being written. Nothing is visible before `finish`."""

    @abstractmethod
    def write(self, chunk: bytes) -> Maybe[None]:
        """Takes the next bytes."""

    @abstractmethod
    def finish(self) -> Maybe[ObjectMeta]:
        """Makes the object visible, durably. Raises ``FileExistsError`` if it had to be new and is there."""

    def abort(self) -> Maybe[None]:
        """Gives it up: it never existed."""
        return None


class Storage(ABC):
    """Where backups rest: five methods."""

    @abstractmethod
    def create(self, key: str, mode: Literal["create-new", "overwrite"]) -> Maybe[Upload]:
        """Begins an object. With ``create-new``, of several racers exactly one wins; what is there stays."""

    @abstractmethod
    def read(self, key: str, range: tuple[int, int] | None) -> Maybe[Chunks]:
        """The bytes of an object, or those from the first up to before the second number.

        Raises ``FileNotFoundError``, and ``ValueError`` for a range that reaches past the end.
        """

    @abstractmethod
    def stat(self, key: str) -> Maybe[ObjectMeta]:
        """Size and time of an object. Raises ``FileNotFoundError`` only when it is not there."""

    @abstractmethod
    def list(self, prefix: str) -> Iterable[ObjectMeta] | AsyncIterable[ObjectMeta] | Awaitable[Iterable[ObjectMeta]]:
        """Every object whose key begins with ``prefix``, which is empty or ends with ``/``."""

    @abstractmethod
    def delete(self, key: str) -> Maybe[None]:
        """Deletes an object. A missing one is no error."""


@dataclass(frozen=True)
class Capabilities:
    """What a cluster can do."""

    incremental: bool = False
    """Hands out the changes since a moment."""
    deletes_seen: bool = False
    """Hands out deletes too."""
    truncate: bool = False
    """Can empty what a restore is about to fill."""
    parallelism: int = 0
    """How many pieces it likes to have read or written at once; 0 = no opinion."""


@dataclass(frozen=True)
class Part:
    """What a part holds: its tables with their counts, where they are told cheaply."""

    tables: dict[str, int | None] = field(default_factory=dict)
    records: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Description:
    """Who a cluster is, and what it holds. ``id`` is a UUID that is the cluster's own for ever."""

    id: str
    name: str
    parts: dict[str, Part]
    fingerprint: str = ""
    version: str = ""


@dataclass(frozen=True)
class Filter:
    """What of a part is meant. ``None`` means everything."""

    tables: list[str] | None = None
    bins: list[str] | None = None
    partitions: list[int] | None = None
    expression: str | None = None


@dataclass(frozen=True)
class FreezeRequest:
    """What shall be frozen: ``parts`` with their filters, or ``None`` for all; and for each incremental since when."""

    parts: dict[str, Filter] | None
    since: dict[str, datetime]

    def wants(self, part: str) -> bool:
        """Whether a part is meant."""
        return self.parts is None or part in self.parts


@dataclass(frozen=True)
class PieceSpec:
    """An independently readable unit of a backup: any process that reaches the cluster can read it from this alone."""

    name: str
    kind: Literal["schema", "data", "deletes", "log"] = "data"
    bytes: int | None = None
    detail: Any = None
    place: str | None = None
    group: str | None = None
    content: str | None = None


@dataclass(frozen=True)
class FrozenPart:
    """One frozen part: every change up to ``until`` is in, none after ``settled``. ``start`` is that of an incremental."""

    part: str
    until: datetime
    pieces: list[PieceSpec]
    start: datetime | None = None
    settled: datetime | None = None
    """Left out: the same as ``until``."""
    applies: Literal["cover", "exact"] = "exact"
    """``cover``: from any state in the window, the last write wins. ``exact``: only onto what came before."""
    deletes: Literal["seen", "unseen"] = "unseen"
    filter: Filter = field(default_factory=Filter)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PieceSummary:
    """What was in a piece: given after its last bytes."""

    records: int = 0
    deletes: int = 0
    definitions: int = 0
    settled: datetime | None = None


@dataclass(frozen=True)
class RestoreOptions:
    """How a restore is done."""

    truncate: bool = False
    conflict: Literal["replace", "keep", "newer"] = "replace"
    rename: dict[str, str] = field(default_factory=dict)
    now: datetime | None = None
    no_definitions: bool = False
    no_data: bool = False
    definitions_last: bool = False

    def target_of(self, part: str) -> str:
        """The name under which a part is restored."""
        return self.rename.get(part, part)


@dataclass(frozen=True)
class RestoreSession:
    """A restore in progress. ``detail`` is what `Cluster.begin_restore` gave."""

    id: str
    options: RestoreOptions
    detail: Any = None


class Cluster(ABC):
    """What is backed up, and restored into: a cluster that hands out and takes in pieces of bytes."""

    def capabilities(self) -> Capabilities:
        """What it can do. Never async."""
        return Capabilities()

    @abstractmethod
    def describe(self) -> Maybe[Description]:
        """Who it is and what it holds."""

    @abstractmethod
    def freeze(self, request: FreezeRequest) -> Maybe[list[FrozenPart]]:
        """Fixes a state and cuts it into pieces.

        Raises `BrokenChainError` for a moment before what it can still tell, so that a base is needed.
        """

    @abstractmethod
    def read(
        self, piece: PieceSpec
    ) -> (
        Iterable[bytes | PieceSummary] | AsyncIterable[bytes | PieceSummary] | Awaitable[Iterable[bytes | PieceSummary]]
    ):
        """The bytes of a piece, then its `PieceSummary`. May be called again for the same piece."""

    def release(self, frozen: list[FrozenPart]) -> Maybe[None]:
        """Lets go of what was frozen. Called on success, failure and cancel; twice is no error."""
        return None

    def remembers(self, part: str, until: datetime) -> Maybe[bool | None]:
        """Whether the history of a part leads from a state frozen at ``until`` to now. ``None``: it can't tell."""
        return None

    def check_restore(self, parts: dict[str, Any], options: RestoreOptions) -> Maybe[list[str]]:
        """What makes a restore impossible; nothing = go. Changes nothing."""
        return []

    def begin_restore(self, id: str, parts: dict[str, Any], options: RestoreOptions) -> Maybe[Any]:
        """Begins a restore. The only call that truncates. Gives what it needs to go on, as JSON can tell it."""
        return None

    @abstractmethod
    def write(self, session: RestoreSession, step: int, part: str, piece: PieceSpec, body: Body) -> Maybe[Applied]:
        """Writes one piece: iterate over ``body`` to its end. Writing it twice is the same as once."""

    def seal_step(self, session: RestoreSession, step: int) -> Maybe[None]:
        """The barrier after the last piece of a step. Twice is once."""
        return None

    def finish_restore(self, session: RestoreSession) -> Maybe[list[str] | None]:
        """Ends a restore, and gives warnings. Twice is once."""
        return None

    def abort_restore(self, session: RestoreSession) -> Maybe[None]:
        """Gives up a restore and frees what was staged. What was written stays."""
        return None


class FrameCoder(ABC):
    """Codes the frames of one part of a backup, in any order and from any thread. Never async."""

    @abstractmethod
    def encode(self, index: int, last: bool, plain: bytes) -> bytes:
        """The coded form of a frame of at most 1 MiB and a little more."""

    @abstractmethod
    def decode(self, index: int, last: bool, coded: bytes, limit: int) -> bytes:
        """The plain form, at most ``limit`` bytes. Raises anything for bytes that `encode` did not make."""


class Codec(ABC):
    """How bytes are packed and locked. ``id`` is its name in every manifest: letters, digits, ``-`` and ``:``."""

    id: str

    @abstractmethod
    def begin(self, repository: str, part: str, salt: bytes) -> FrameCoder:
        """A coder for the frames of one part; ``salt`` are fresh random bytes of this very writing."""
