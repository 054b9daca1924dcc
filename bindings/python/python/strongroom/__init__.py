"""Backs up and restores database clusters: chains of backups that are proven before they are used.

import strongroom

repository = strongroom.Repository.init("./backups")
repository.backup("embedded:app.redb")
print(repository.plan())
repository.restore("embedded:restored.redb")
"""

import atexit

from . import _native
from ._adapters import (
    Capabilities,
    Cluster,
    Codec,
    Description,
    Filter,
    FrameCoder,
    FreezeRequest,
    FrozenPart,
    ObjectMeta,
    Part,
    PieceSpec,
    PieceSummary,
    RestoreOptions,
    RestoreSession,
    Storage,
    Upload,
)
from ._calls import Calls
from ._cluster import EmbeddedCluster, Inspection, OpenCluster
from ._errors import (
    AlreadyExistsError,
    BrokenChainError,
    CancelledError,
    CorruptError,
    DeniedError,
    InternalError,
    InvalidError,
    NoSpaceError,
    NotFoundError,
    StrongroomError,
    UnavailableError,
    UnsupportedError,
)
from ._job import Call, Job
from ._native import Record
from ._options import RetentionPolicy
from ._plan import (
    Catalogue,
    Check,
    Explanation,
    Gap,
    PartPlan,
    PartWindows,
    Plan,
    PlanTotals,
    PlanWarning,
    RestoreWindow,
    Span,
    Step,
    Windows,
)
from ._ports import Body
from ._reports import (
    Applied,
    Backup,
    BackupReport,
    ClusterIdentity,
    Committed,
    Condemned,
    CopyReport,
    Estimate,
    Finding,
    LeftOut,
    PartReport,
    Pin,
    Progress,
    PruneReport,
    Reached,
    RepositoryInfo,
    RestoreReport,
    Size,
    Swept,
    SynthesizeReport,
    Topology,
    Totals,
    Unfinished,
    Unreachable,
    Verified,
    VerifiedBackup,
    VerifyReport,
    Window,
)
from ._repository import AsyncRepository, Repository
from ._session import new_key

__version__ = _native.VERSION

#: How many seconds the end of the interpreter waits for jobs to put things in order.
EXIT_SECONDS = 30.0

# Threads that work while the interpreter is taken down would crash it: what runs is cancelled, and waited for.
atexit.register(lambda: _native.close(EXIT_SECONDS))

__all__ = [
    "AlreadyExistsError",
    "Applied",
    "AsyncRepository",
    "Backup",
    "BackupReport",
    "Body",
    "BrokenChainError",
    "Call",
    "Calls",
    "CancelledError",
    "Capabilities",
    "Catalogue",
    "Check",
    "Cluster",
    "ClusterIdentity",
    "Codec",
    "Committed",
    "Condemned",
    "CopyReport",
    "CorruptError",
    "DeniedError",
    "Description",
    "EmbeddedCluster",
    "Estimate",
    "Explanation",
    "Filter",
    "Finding",
    "FrameCoder",
    "FreezeRequest",
    "FrozenPart",
    "Gap",
    "Inspection",
    "InternalError",
    "InvalidError",
    "Job",
    "LeftOut",
    "NoSpaceError",
    "NotFoundError",
    "ObjectMeta",
    "OpenCluster",
    "Part",
    "PartPlan",
    "PartReport",
    "PartWindows",
    "PieceSpec",
    "PieceSummary",
    "Pin",
    "Plan",
    "PlanTotals",
    "PlanWarning",
    "Progress",
    "PruneReport",
    "Reached",
    "Record",
    "Repository",
    "RepositoryInfo",
    "RestoreOptions",
    "RestoreReport",
    "RestoreSession",
    "RestoreWindow",
    "RetentionPolicy",
    "Size",
    "Span",
    "Step",
    "Storage",
    "StrongroomError",
    "Swept",
    "SynthesizeReport",
    "Topology",
    "Totals",
    "UnavailableError",
    "Unfinished",
    "Unreachable",
    "UnsupportedError",
    "Upload",
    "Verified",
    "VerifiedBackup",
    "VerifyReport",
    "Window",
    "Windows",
    "new_key",
]
