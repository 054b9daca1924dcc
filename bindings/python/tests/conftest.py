"""What the tests share: a cluster with a history, and a repository."""

import logging
from pathlib import Path

import pytest
import strongroom


@pytest.fixture
def cluster(tmp_path: Path) -> strongroom.EmbeddedCluster:
    """An embedded cluster with a hundred records."""
    cluster = strongroom.EmbeddedCluster.open(tmp_path / "app.redb", create=True)
    cluster.put_many("app", [(number, {"value": number}) for number in range(100)], set="users")
    logging.getLogger(__name__).debug("%r", cluster)
    return cluster


@pytest.fixture
def repository(tmp_path: Path) -> strongroom.Repository:
    """An empty repository."""
    return strongroom.Repository.init(tmp_path / "backups")
