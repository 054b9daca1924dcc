"""What is asked of a repository, as the JSON that every language sends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from ._reports import Backup, Committed
from ._time import Moment, Span, moment_to_json, span_to_json

#: Some names, or one.
Names = str | Iterable[str]
#: A backup: its id, or what tells of it.
BackupId = str | Backup | Committed
#: Some backups, or one.
BackupIds = BackupId | Iterable[BackupId]


@dataclass(frozen=True)
class RetentionPolicy:
    """What a prune keeps of each part. Without a rule it keeps every point."""

    keep_last: int | None = None
    """The newest so many points."""
    keep_within: Span | None = None
    """Every point younger than this."""
    keep_hourly: int | None = None
    """The last point of each of the newest so many hours that have one; the same for the others."""
    keep_daily: int | None = None
    keep_weekly: int | None = None
    keep_monthly: int | None = None
    keep_yearly: int | None = None
    zone: str | None = None
    """Where days begin, such as ``Europe/Berlin``."""
    point_in_time: Span | None = None
    """Every moment of this last span stays restorable."""
    max_size: int | str | None = None
    """The oldest of these points go until a part takes no more bytes than this."""
    min_redundancy: int | None = None
    """The newest so many bases stay in any case."""
    keep_unusable: Span | None = None
    """How long backups that no restore can use are kept."""


#: A policy, or the same as a mapping.
Policy = RetentionPolicy | Mapping[str, Any]


def names(some: Names | None) -> list[str]:
    """Some names as a list."""
    if some is None:
        return []
    return [some] if isinstance(some, str) else list(some)


def backup_id(backup: BackupId) -> str:
    """The id of a backup."""
    if isinstance(backup, Committed):
        return backup.backup
    return backup.id if isinstance(backup, Backup) else backup


def backup_ids(backups: BackupIds) -> list[str]:
    """The ids of some backups."""
    if isinstance(backups, (str, Backup, Committed)):
        return [backup_id(backups)]
    return [backup_id(backup) for backup in backups]


def policy_to_json(policy: Policy) -> dict[str, Any]:
    """A policy in a request."""
    values = (
        {one.name: getattr(policy, one.name) for one in fields(policy)}
        if isinstance(policy, RetentionPolicy)
        else dict(policy)
    )
    read = {name: span_to_json(value) if isinstance(value, timedelta) else value for name, value in values.items()}
    return {name: value for name, value in read.items() if value is not None}


def subject(part: Names | None, table: Names | None, cluster: str | None) -> dict[str, Any]:
    """Which parts of which cluster."""
    return {"parts": names(part), "tables": names(table), "cluster": cluster}


def choice(
    at: Moment | None,
    exactly: Moment | None,
    backup: BackupId | None,
    run: str | None,
    of: dict[str, Any],
    **more: bool,
) -> dict[str, Any]:
    """Which moment or backup, and of which parts."""
    return {
        "at": moment_to_json(at),
        "exactly": moment_to_json(exactly),
        "backup": None if backup is None else backup_id(backup),
        "run": run,
        "of": of,
        **more,
    }


def pace(limit_rate: int | str | None, limit_records: int | None, parallel: int | None) -> dict[str, Any]:
    """How fast a job may be."""
    return {"limit_rate": limit_rate, "limit_records": limit_records, "parallel": parallel}


def place(where: str | os.PathLike[str]) -> str:
    """A name, a URL or a folder as text. A ``Path`` is never taken for a name or a URL."""
    if isinstance(where, str):
        return where
    path = os.fspath(where)
    return path if path.startswith((os.sep, ".")) else f".{os.sep}{path}"


def dumps(value: object) -> str:
    """As JSON."""
    return json.dumps(value)
