"""Looking into a repository's state: records of any moment, without a cluster."""

from datetime import timedelta
from pathlib import Path

import pytest
import strongroom
from strongroom import AsyncRepository, EmbeddedCluster, Repository


def test_records_of_a_moment(repository: Repository, cluster: EmbeddedCluster) -> None:
    first = repository.backup(cluster).backups[0]
    cluster.put("app", "new", {"value": 1}, set="orders")
    cluster.delete("app", 7, set="users")
    repository.backup(cluster)
    with repository.inspect() as now:
        assert isinstance(now, strongroom.Inspection)
        assert now.hash("app") == cluster.hash("app")
        assert now.get("app", "new", set="orders")["value"] == 1
        assert sum(len(batch) for batch in now.batches("app", batch=64)) == 100
    with repository.inspect(at=first.window.until) as then:
        assert then.get("app", 7, set="users")["value"] == 7
        assert {record.key for record in then.scan("app")} == set(range(100))
    with repository.inspect(backup=first, table="orders") as nothing:
        assert list(nothing.scan("app")) == []
    with pytest.raises(strongroom.BrokenChainError):
        repository.inspect(at=first.window.until - timedelta(days=1))


def test_what_is_looked_into_is_nowhere_afterwards(
    repository: Repository, cluster: EmbeddedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    repository.backup(cluster)
    state = repository.inspect()
    (folder,) = (tmp_path / "temporary").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    state.close()
    assert list((tmp_path / "temporary").iterdir()) == []
    with pytest.raises(strongroom.InvalidError, match="closed"):
        state.get("app", 1)
    state.close()


async def test_the_same_for_asyncio(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    repository.backup(cluster)
    again = await AsyncRepository.open(tmp_path / "backups")
    with await again.inspect() as state:
        assert state.hash("app") == cluster.hash("app")
