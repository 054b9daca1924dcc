"""What jobs come to, and what a repository holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ._data import Data
from ._errors import StrongroomError, make


@dataclass(frozen=True)
class Progress(Data):
    """The counters of a job at one moment. Totals are estimates until the end, and never below what is done."""

    phase: str
    """``preparing``, ``moving``, ``finishing`` or ``over``."""
    pieces: int
    pieces_total: int
    records: int
    plain_bytes: int
    """Bytes moved, before the codecs."""
    plain_bytes_total: int
    stored_bytes: int
    reused_bytes: int
    bytes_per_second: int
    permille: int
    elapsed: timedelta
    remaining: timedelta | None

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        return self.permille / 1000

    def __str__(self) -> str:
        left = "" if self.remaining is None else f", {self.remaining} left"
        return f"{self.phase} {self.fraction:.0%}: {self.records} records, {self.plain_bytes} bytes{left}"


@dataclass(frozen=True)
class Window(Data):
    """Every change after ``start`` up to ``until`` is in, none after ``settled``. A base has no ``start``."""

    start: datetime | None
    until: datetime
    settled: datetime


@dataclass(frozen=True)
class Reached(Data):
    """A point: every change up to ``until`` is in, none after ``settled``."""

    until: datetime
    settled: datetime

    @property
    def is_exact(self) -> bool:
        """Whether no change is in doubt."""
        return self.until == self.settled


@dataclass(frozen=True)
class Totals(Data):
    """Counts and sizes."""

    records: int
    deletes: int
    definitions: int
    pieces: int
    objects: int
    plain_bytes: int
    stored_bytes: int
    reused_bytes: int = 0


@dataclass(frozen=True)
class Committed(Data):
    """A backup that exists."""

    backup: str
    kind: str
    window: Window
    manifest: str
    totals: Totals
    resumed_pieces: int
    restorable: Reached | None
    bridges: str | None


@dataclass(frozen=True)
class Estimate(Data):
    """What a backup would store."""

    kind: str
    window: Window
    pieces: int
    pieces_of_unknown_size: int
    plain_bytes: int


@dataclass(frozen=True)
class PartReport(Data):
    """What became of one part."""

    part: str
    reason: str | None
    outcome: dict[str, Any] = field(repr=False)
    warnings: list[str] = field(default_factory=list)

    @property
    def backup(self) -> Committed | None:
        """The backup, if it exists."""
        made = self.outcome.get("committed") or self.outcome.get("already")
        return None if made is None else Committed.from_json(made)

    @property
    def estimate(self) -> Estimate | None:
        """What would be stored, of a dry run."""
        made = self.outcome.get("estimated")
        return None if made is None else Estimate.from_json(made)

    @property
    def error(self) -> StrongroomError | None:
        """What it failed by."""
        failed = self.outcome.get("failed")
        return None if failed is None else make(failed["kind"], failed["what"], None, [])


@dataclass(frozen=True)
class BackupReport(Data):
    """What a backup came to: each part by itself."""

    run: str
    parts: list[PartReport]
    warnings: list[str]

    @property
    def backups(self) -> list[Committed]:
        """The backups that exist now."""
        return [part.backup for part in self.parts if part.backup is not None]


@dataclass(frozen=True)
class Applied(Data):
    """What the writes of a restore did, or of one piece."""

    written: int = 0
    deleted: int = 0
    kept: int = 0
    expired: int = 0
    filtered: int = 0
    definitions: int = 0


@dataclass(frozen=True)
class RestoreReport(Data):
    """What a restore did."""

    session: str
    plan: str
    parts: dict[str, Reached]
    applied: Applied
    proof: str
    plan_warnings: list[dict[str, Any]]
    warnings: list[str]
    dry_run: bool


@dataclass(frozen=True)
class Finding(Data):
    """Something that is missing or damaged."""

    key: str
    kind: str
    problem: str


@dataclass(frozen=True)
class VerifiedBackup(Data):
    """One backup that was looked at."""

    backup: str
    part: str
    objects: int
    bytes: int
    findings: list[Finding]


@dataclass(frozen=True)
class VerifyReport(Data):
    """What a check found."""

    depth: str
    backups: list[VerifiedBackup]
    warnings: list[str]
    unusable: list[Finding] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing or damaged."""
        return not self.unusable and not any(backup.findings for backup in self.backups)


@dataclass(frozen=True)
class LeftOut(Data):
    """A backup that was not copied."""

    backup: str
    part: str
    kind: str
    why: str
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Unreachable(Data):
    """A backup whose chain is not whole at the destination."""

    backup: str
    part: str
    why: str


@dataclass(frozen=True)
class CopyReport(Data):
    """What was copied, and what was not."""

    backups: list[str]
    copied: int
    deleted: int
    objects: int
    present: int
    bytes: int
    warnings: list[str]
    left_out: list[LeftOut] = field(default_factory=list)
    unreachable: list[Unreachable] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for is there now, and can be restored from there."""
        return not self.left_out and not self.unreachable


@dataclass(frozen=True)
class Condemned(Data):
    """What is condemned now."""

    backups: list[dict[str, Any]]
    unfinished: list[dict[str, Any]]
    bytes: int
    due: datetime | None


@dataclass(frozen=True)
class Swept(Data):
    """What was condemned before and is deleted now."""

    backups: list[str]
    unfinished: list[str]
    objects: int
    bytes: int
    next_due: datetime | None


@dataclass(frozen=True)
class PruneReport(Data):
    """What a prune did, or would do. ``retention`` says of each point why it stays or goes."""

    dry_run: bool
    condemned: Condemned
    deleted: Swept
    warnings: list[str]
    retention: dict[str, Any] | None = field(repr=False)
    refusal: dict[str, Any] | None


@dataclass(frozen=True)
class SynthesizeReport(Data):
    """What a merge made."""

    run: str
    part: str
    backup: str
    made_from: list[str]
    window: Window
    totals: Totals
    restorable: Reached | None
    warnings: list[str]


@dataclass(frozen=True)
class Verified(Data):
    """A check that found a backup whole."""

    when: datetime
    depth: str


@dataclass(frozen=True)
class Size(Data):
    """Counts and sizes of a backup in the catalogue."""

    records: int
    deletes: int
    objects: int
    plain_bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class Pin(Data):
    """What keeps a backup from being deleted."""

    kind: str
    reason: str
    until: datetime | None
    by: str | None
    set: datetime | None


@dataclass(frozen=True)
class Backup(Data):
    """A backup in the catalogue."""

    id: str
    run: str
    kind: str
    part: str
    cluster: str
    window: Window
    status: str
    size: Size
    verified: Verified | None
    created: datetime
    parent: str | None
    timeline: str = field(repr=False)
    manifest: str = field(repr=False)
    codecs: list[str] = field(default_factory=list)
    pins: list[Pin] = field(default_factory=list)


@dataclass(frozen=True)
class Unfinished(Data):
    """A run that has begun backups and not committed them: running, or to be resumed."""

    run: str
    begun: datetime
    backups: int


@dataclass(frozen=True)
class RepositoryInfo(Data):
    """What a repository is."""

    repository: str
    created: datetime
    codecs: list[str]


@dataclass(frozen=True)
class ClusterIdentity(Data):
    """Who a cluster is."""

    id: str
    name: str
    fingerprint: str


@dataclass(frozen=True)
class Topology(Data):
    """What a cluster is made of."""

    identity: ClusterIdentity
    version: str
    nodes: list[dict[str, Any]]
    parts: dict[str, dict[str, Any]]
