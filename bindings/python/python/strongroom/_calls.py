"""Every call of a repository, once: `Repository` waits for them, `AsyncRepository` awaits them."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from . import _native
from . import _options as options
from ._adapters import Cluster, Storage
from ._cluster import Inspection, OpenCluster, party, storage_at
from ._data import D
from ._job import Call, Job
from ._options import BackupId, BackupIds, Names, Policy, dumps
from ._plan import Catalogue, Check, Explanation, Plan, Windows
from ._reports import (
    BackupReport,
    ClusterIdentity,
    CopyReport,
    Pin,
    PruneReport,
    RepositoryInfo,
    RestoreReport,
    SynthesizeReport,
    VerifyReport,
)
from ._time import Moment, Span, moment_to_json, span_to_json

#: A cluster that is opened, one of your own, its name in the profiles, its URL, or the file of an embedded one.
ClusterLike = str | os.PathLike[str] | OpenCluster | Cluster
#: A storage of your own, its name in the profiles, its URL or its folder.
Place = str | os.PathLike[str] | Storage

R = TypeVar("R")

TOOL = f"strongroom for Python {_native.VERSION}"


def _read(cls: type[D]) -> Callable[[str], D]:
    return lambda text: cls.from_json(json.loads(text))


def _told(cls: type[D]) -> Callable[[str], D]:
    """An answer that comes with its words."""

    def read(text: str) -> D:
        value, words = json.loads(text)
        return cls.from_json({**value, "text": words})

    return read


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


class Calls:
    """Begins calls and jobs. Each is running when it is returned: wait for it, await it, or iterate over its events."""

    def __init__(self, native: _native.Repository, *, on_loop: bool) -> None:
        self._native = native
        self._on_loop = on_loop
        self.info = RepositoryInfo.from_json(json.loads(native.info()))

    def catalogue(self, part: Names | None = None, *, cluster: str | None = None) -> Call[Catalogue]:
        """The backups that are there, by the moment that they reach."""
        return Call(self._native.list(dumps(options.subject(part, None, cluster))), _read(Catalogue))

    def clusters(self) -> Call[list[ClusterIdentity]]:
        """The clusters whose backups are here."""
        return Call(self._native.clusters(), lambda text: [ClusterIdentity.from_json(one) for one in json.loads(text)])

    def plan(
        self,
        *,
        at: Moment | None = None,
        exactly: Moment | None = None,
        backup: BackupId | None = None,
        run: str | None = None,
        part: Names | None = None,
        table: Names | None = None,
        cluster: str | None = None,
        nearest_earlier: bool = False,
        together: bool = False,
        verified_only: bool = False,
        allow_partial: bool = False,
        allow_missing_parts: bool = False,
    ) -> Call[Plan]:
        """What a restore would do. Without ``at``, ``exactly``, ``backup`` or ``run``: to the newest state."""
        asked = options.choice(
            at,
            exactly,
            backup,
            run,
            options.subject(part, table, cluster),
            nearest_earlier=nearest_earlier,
            together=together,
            verified_only=verified_only,
            allow_partial=allow_partial,
            allow_missing_parts=allow_missing_parts,
        )
        return Call(self._native.plan(dumps(asked)), _read(Plan))

    def explain(
        self,
        *,
        at: Moment | None = None,
        exactly: Moment | None = None,
        backup: BackupId | None = None,
        part: Names | None = None,
        table: Names | None = None,
        cluster: str | None = None,
        nearest_earlier: bool = False,
    ) -> Call[Explanation]:
        """Why a plan is as it is, or why there is none. Print it."""
        of = options.subject(part, table, cluster)
        asked = options.choice(at, exactly, backup, None, of, nearest_earlier=nearest_earlier)
        return Call(self._native.explain(dumps(asked)), _told(Explanation))

    def check(
        self,
        *,
        at: Moment | None = None,
        exactly: Moment | None = None,
        backup: BackupId | None = None,
        part: Names | None = None,
        table: Names | None = None,
        cluster: str | None = None,
        nearest_earlier: bool = False,
    ) -> Call[Check]:
        """Whether a moment can be restored. Refusals are answers here, not errors."""
        of = options.subject(part, table, cluster)
        asked = options.choice(at, exactly, backup, None, of, nearest_earlier=nearest_earlier)
        return Call(self._native.check(dumps(asked)), _told(Check))

    def windows(
        self, part: Names | None = None, *, table: Names | None = None, cluster: str | None = None
    ) -> Call[Windows]:
        """Which moments can be restored, and where the gaps are."""
        return Call(self._native.windows(dumps(options.subject(part, table, cluster))), _told(Windows))

    def pin(
        self, backups: BackupIds, *, reason: str = "", until: Moment | None = None, by: str | None = None
    ) -> Call[Pin]:
        """Keeps backups, and what they need, whatever the policy says."""
        return self._pin("pin", backups, reason, until, by)

    def hold(self, backups: BackupIds, *, reason: str, until: Moment | None = None, by: str | None = None) -> Call[Pin]:
        """Puts backups on legal hold: as a pin, and only who set it takes it off."""
        return self._pin("hold", backups, reason, until, by)

    def _pin(self, kind: str, backups: BackupIds, reason: str, until: Moment | None, by: str | None) -> Call[Pin]:
        asked = {
            "backups": options.backup_ids(backups),
            "kind": kind,
            "reason": reason,
            "until": moment_to_json(until),
            "by": _user() if by is None else by,
        }
        return Call(self._native.pin(dumps(asked)), _read(Pin))

    def unpin(self, backups: BackupIds) -> Call[list[Pin]]:
        """Takes pins off, and gives those that were."""
        return self._unpin(backups, False, "")

    def release(self, backups: BackupIds, *, by: str | None = None) -> Call[list[Pin]]:
        """Releases backups from legal hold, and gives the holds that were."""
        return self._unpin(backups, True, _user() if by is None else by)

    def _unpin(self, backups: BackupIds, hold: bool, by: str) -> Call[list[Pin]]:
        task = self._native.unpin(dumps(options.backup_ids(backups)), hold, by)
        return Call(task, lambda text: [Pin.from_json(one) for one in json.loads(text)])

    def backup(
        self,
        cluster: ClusterLike,
        *,
        kind: Literal["auto", "base", "incremental"] = "auto",
        part: Names | None = None,
        table: Names | None = None,
        codecs: str | None = None,
        no_bridging: bool = False,
        dry_run: bool = False,
        accept_fingerprint: bool = False,
        limit_rate: int | str | None = None,
        limit_records: int | None = None,
        parallel: int | None = None,
    ) -> Job[BackupReport]:
        """Backs a cluster up: incremental where the chain allows it, else a base."""
        asked = {
            "of": {"parts": options.names(part), "tables": options.names(table)},
            "kind": kind,
            "no_bridging": no_bridging,
            "dry_run": dry_run,
            "accept_fingerprint": accept_fingerprint,
            "pace": options.pace(limit_rate, limit_records, parallel),
            "tool": TOOL,
        }
        return Job(
            self._native.backup(party(cluster, on_loop=self._on_loop), dumps(asked), codecs), BackupReport.from_json
        )

    def resume(
        self,
        cluster: ClusterLike,
        run: str,
        *,
        codecs: str | None = None,
        take_over: bool = False,
        limit_rate: int | str | None = None,
        limit_records: int | None = None,
        parallel: int | None = None,
    ) -> Job[BackupReport]:
        """Goes on with an interrupted backup. ``take_over``: the process that began it is surely dead."""
        asked = {
            "run": run,
            "take_over": take_over,
            "pace": options.pace(limit_rate, limit_records, parallel),
            "tool": TOOL,
        }
        return Job(
            self._native.resume(party(cluster, on_loop=self._on_loop), dumps(asked), codecs), BackupReport.from_json
        )

    def restore(
        self,
        into: ClusterLike,
        plan: Plan | None = None,
        *,
        at: Moment | None = None,
        exactly: Moment | None = None,
        backup: BackupId | None = None,
        run: str | None = None,
        part: Names | None = None,
        table: Names | None = None,
        cluster: str | None = None,
        nearest_earlier: bool = False,
        truncate: bool = False,
        conflict: Literal["replace", "keep", "newer"] = "replace",
        rename: Mapping[str, str] | None = None,
        now: Moment | None = None,
        no_definitions: bool = False,
        no_data: bool = False,
        definitions_last: bool = False,
        dry_run: bool = False,
        proof: Literal["check", "hash", "stage"] | None = None,
        staging: Place | None = None,
        journal: Place | None = None,
        session: str | None = None,
        take_over: bool = False,
        accept_fingerprint: bool = False,
        limit_rate: int | str | None = None,
        limit_records: int | None = None,
        parallel: int | None = None,
    ) -> Job[RestoreReport]:
        """Restores a plan, or what is chosen, into a cluster. An embedded one is made if it does not exist.

        With a ``journal`` (a folder or storage), a restore that was interrupted goes on with its ``session``.
        """
        of = options.subject(part, table, cluster)
        chosen = options.choice(at, exactly, backup, run, of, nearest_earlier=nearest_earlier)
        asked = {
            "truncate": truncate,
            "conflict": conflict,
            "rename": dict(rename or {}),
            "now": moment_to_json(now),
            "no_definitions": no_definitions,
            "no_data": no_data,
            "definitions_last": definitions_last,
            "dry_run": dry_run,
            "proof": proof,
            "session": session,
            "take_over": take_over,
            "accept_fingerprint": accept_fingerprint,
            "pace": options.pace(limit_rate, limit_records, parallel),
        }
        native = self._native.restore(
            party(into, on_loop=self._on_loop),
            None if plan is None else plan.to_json(),
            dumps(chosen),
            dumps(asked),
            None if journal is None else storage_at(journal, on_loop=self._on_loop),
            None if staging is None else storage_at(staging, on_loop=self._on_loop),
        )
        return Job(native, RestoreReport.from_json)

    def inspect(
        self,
        *,
        at: Moment | None = None,
        exactly: Moment | None = None,
        backup: BackupId | None = None,
        run: str | None = None,
        part: Names | None = None,
        table: Names | None = None,
        cluster: str | None = None,
        nearest_earlier: bool = False,
        limit_rate: int | str | None = None,
        limit_records: int | None = None,
        parallel: int | None = None,
    ) -> Call[Inspection]:
        """Restores what is chosen into a temporary file, to look into its records. Close it, or use it in a ``with`` block.

        Only of backups that hold records. ``part`` and ``table`` make it quicker.
        """
        of = options.subject(part, table, cluster)
        asked = options.choice(at, exactly, backup, run, of, nearest_earlier=nearest_earlier)
        pace = options.pace(limit_rate, limit_records, parallel)
        return Call(self._native.inspect(dumps(asked), dumps(pace)), Inspection)

    def verify(
        self,
        backups: BackupIds | None = None,
        *,
        depth: Literal["exists", "hash", "decode"] = "hash",
        limit_rate: int | str | None = None,
        limit_records: int | None = None,
        parallel: int | None = None,
    ) -> Job[VerifyReport]:
        """Checks that stored backups are whole. Damage is in the report; it is no error."""
        asked = {
            "backups": None if backups is None else options.backup_ids(backups),
            "depth": depth,
            "pace": options.pace(limit_rate, limit_records, parallel),
        }
        return Job(self._native.verify(dumps(asked)), VerifyReport.from_json)

    def copy(
        self,
        to: Place,
        backups: BackupIds | None = None,
        *,
        limit_rate: int | str | None = None,
        limit_records: int | None = None,
        parallel: int | None = None,
    ) -> Job[CopyReport]:
        """Copies backups, and the chains they need, to another storage; it becomes a repository as well."""
        asked = {
            "backups": None if backups is None else options.backup_ids(backups),
            "pace": options.pace(limit_rate, limit_records, parallel),
        }
        return Job(self._native.copy(storage_at(to, on_loop=self._on_loop), dumps(asked)), CopyReport.from_json)

    def prune(
        self,
        policy: Policy | None = None,
        *,
        part_policies: Mapping[str, Policy] | None = None,
        cluster: str | None = None,
        grace: Span | None = None,
        unfinished_after: Span | None = None,
        dry_run: bool = False,
    ) -> Job[PruneReport]:
        """Condemns what the policy does not keep, and deletes what was condemned a grace time ago.

        Without a policy: that of the repository's profile. Every point that stays is planned once more before.
        """
        parts = (part_policies or {}).items()
        asked = {
            "policy": None if policy is None else options.policy_to_json(policy),
            "part_policies": {name: options.policy_to_json(one) for name, one in parts},
            "cluster": cluster,
            "grace": span_to_json(grace),
            "unfinished_after": span_to_json(unfinished_after),
            "dry_run": dry_run,
        }
        return Job(self._native.prune(dumps(asked)), PruneReport.from_json)

    def delete(
        self,
        backups: BackupIds,
        *,
        cascade: bool = False,
        last: bool = False,
        grace: Span | None = None,
        dry_run: bool = False,
    ) -> Job[PruneReport]:
        """Condemns backups by their ids, if nothing that stays needs them.

        ``cascade``: what could not be restored without them as well. ``last``: even a part's last point.
        """
        asked: dict[str, Any] = {
            "backups": options.backup_ids(backups),
            "cascade": cascade,
            "last": last,
            "grace": span_to_json(grace),
            "dry_run": dry_run,
        }
        return Job(self._native.delete(dumps(asked)), PruneReport.from_json)

    def synthesize(
        self,
        part: str | None = None,
        *,
        at: Moment | None = None,
        backup: BackupId | None = None,
        cluster: str | None = None,
        codecs: str | None = None,
        run: str | None = None,
        take_over: bool = False,
        limit_rate: int | str | None = None,
        limit_records: int | None = None,
        parallel: int | None = None,
    ) -> Job[SynthesizeReport]:
        """Merges a chain of record backups of one part into a new base, without touching the cluster."""
        asked = {
            "choice": options.choice(at, None, backup, None, options.subject(part, None, cluster)),
            "run": run,
            "take_over": take_over,
            "pace": options.pace(limit_rate, limit_records, parallel),
            "tool": TOOL,
        }
        return Job(self._native.synthesize(dumps(asked), codecs), SynthesizeReport.from_json)
