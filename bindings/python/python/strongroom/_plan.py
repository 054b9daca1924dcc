"""What a restore will do, what can be restored, and what there is: answers of the planner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from ._data import Data
from ._reports import Backup, Reached, Unfinished, Window
from ._timeline import Bar, svg


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Step(Data):
    """One backup that is applied."""

    step: int
    backup: str
    kind: str
    window: Window
    deletes: str
    verified: str | None
    bytes: int
    plain_bytes: int
    records: int
    objects: int
    requests: int


@dataclass(frozen=True)
class PartPlan(Data):
    """What is done for one part."""

    reached: Reached
    steps: list[Step]
    timeline: str = field(repr=False)


@dataclass(frozen=True)
class PlanWarning(Data):
    """What people should know of a plan."""

    code: str
    part: str | None
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class PlanTotals(Data):
    """Sums over a plan's steps."""

    steps: int
    bytes: int
    plain_bytes: int
    records: int
    objects: int
    requests: int
    cost: int
    unverified: int
    deletes_unseen: int


@dataclass(frozen=True, repr=False)
class Plan(Data):
    """What a restore will do, before anything is touched. It can be pickled, compared and kept as JSON."""

    cluster: str
    parts: dict[str, PartPlan]
    reached: Reached
    totals: PlanTotals
    warnings: list[PlanWarning]
    hash: str

    @property
    def steps(self) -> list[tuple[str, Step]]:
        """Every step of every part, in the order of their numbers."""
        steps = [(name, step) for name, part in self.parts.items() for step in part.steps]
        return sorted(steps, key=lambda one: one[1].step)

    def to_json(self) -> str:
        """The plan as the JSON that every language reads."""
        return json.dumps(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Any, ...]:
        return _plan_from_json, (self.to_json(),)

    def __repr__(self) -> str:
        return (
            f"<Plan to {_utc(self.reached.until)}: {len(self.parts)} parts, {self.totals.steps} steps, "
            f"{self.totals.records} records, {self.totals.bytes} bytes, {len(self.warnings)} warnings>"
        )

    def __str__(self) -> str:
        lines = []
        for name, part in self.parts.items():
            lines.append(f"part '{name}': reaches {_utc(part.reached.until)}")
            lines += [
                f"  {step.step}. {step.kind} {step.backup}, until {_utc(step.window.until)}, {step.records} records"
                for step in part.steps
            ]
        return "\n".join(lines + [f"warning: {warning}" for warning in self.warnings])

    def _repr_html_(self) -> str:
        bars = [
            Bar(name, step.kind, step.window.start, step.window.until, f"{step.kind} {step.backup}")
            for name, step in self.steps
        ]
        warnings = "".join(f"<li>{escape(warning.message)}</li>" for warning in self.warnings)
        return f"<div><b>{escape(repr(self)[1:-1])}</b>{svg(bars, self.reached.until)}<ul>{warnings}</ul></div>"


def _plan_from_json(text: str) -> Plan:
    return Plan.from_json(json.loads(text))


@dataclass(frozen=True)
class Explanation(Data):
    """Why a request gives its plan, or none. ``str()`` of it is the explanation in words, with a drawing."""

    refusal: dict[str, Any] | None
    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Check(Data):
    """Whether a moment can be restored, and why not. It is true if it can."""

    verdict: str
    message: str
    reached: Reached | None
    reason: str | None
    error: str | None
    text: str = field(repr=False)

    @property
    def is_possible(self) -> bool:
        """Whether it can be restored."""
        return self.verdict != "refused"

    def __bool__(self) -> bool:
        return self.is_possible

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Span(Data):
    """Moments, both ends included. Without ``until`` there is no end."""

    start: datetime
    until: datetime | None

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment and (self.until is None or moment <= self.until)


@dataclass(frozen=True)
class RestoreWindow(Span):
    """Moments that can be asked for, and what they reach."""

    oldest: Reached
    newest: Reached
    points: int


@dataclass(frozen=True)
class Gap(Span):
    """Moments that are refused although something was backed up."""

    after: Reached | None
    before: Reached | None
    reason: str
    detail: str
    stranded: int


@dataclass(frozen=True)
class PartWindows(Data):
    """The windows and gaps of one part, oldest first."""

    windows: list[RestoreWindow]
    gaps: list[Gap]


@dataclass(frozen=True)
class Windows(Data):
    """What can be restored. ``moment in windows`` says whether every part can be restored at or before a moment."""

    cluster: str
    parts: dict[str, PartWindows]
    together: list[Span]
    newest: datetime | None
    complete: bool
    text: str = field(repr=False)

    def __contains__(self, moment: datetime) -> bool:
        return any(moment in span for span in self.together)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, repr=False)
class Catalogue(Data):
    """The backups of a repository, oldest first: iterate over it, or look into ``backups``."""

    backups: list[Backup]
    unfinished: list[Unfinished]
    complete: bool
    quarantined: list[dict[str, Any]]
    damaged: list[str]
    condemned: list[str]

    def __iter__(self) -> Iterator[Backup]:
        return iter(self.backups)

    def __len__(self) -> int:
        return len(self.backups)

    def __getitem__(self, backup: str) -> Backup:
        for one in self.backups:
            if one.id == backup:
                return one
        raise KeyError(backup)

    def __repr__(self) -> str:
        if not self.backups:
            return "<Catalogue: no backups>"
        parts = {backup.part for backup in self.backups}
        newest = max(backup.window.until for backup in self.backups)
        return f"<Catalogue: {len(self)} backups of {len(parts)} parts, the newest until {_utc(newest)}>"

    def _repr_html_(self) -> str:
        bars = [
            Bar(
                backup.part,
                backup.kind,
                backup.window.start,
                backup.window.until,
                f"{backup.kind} {backup.id}, {backup.size.records} records, {backup.status}",
                faint=backup.status != "complete",
            )
            for backup in self.backups
        ]
        return f"<div><b>{escape(repr(self)[1:-1])}</b>{svg(bars)}</div>"
