"""Every job of a repository, sync and async, on a real embedded cluster."""

import json
import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import strongroom
from strongroom import AsyncRepository, EmbeddedCluster, Repository, RetentionPolicy


def test_a_chain_is_restored_to_a_moment(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    first = repository.backup(cluster)
    assert [made.kind for made in first.backups] == ["base"]
    assert first.backups[0].totals.records == 100
    before, moment = cluster.hash("app"), first.backups[0].window.until
    cluster.put("app", "new", {"value": [1, {"a": b"\x00"}]}, set="users")
    assert cluster.delete("app", 0, 1, 2, set="users") == 3
    second = repository.backup(cluster)
    assert [made.kind for made in second.backups] == ["incremental"]
    assert second.backups[0].totals.deletes == 3

    summary = repository.restore(tmp_path / "now.redb")
    assert summary.applied.written == 98
    assert EmbeddedCluster.open(tmp_path / "now.redb").hash("app") == cluster.hash("app")
    repository.restore(f"embedded:{tmp_path}/then.redb", at=moment)
    assert EmbeddedCluster.open(tmp_path / "then.redb").hash("app") == before != cluster.hash("app")


def test_a_plan_is_data(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    made = repository.backup(cluster).backups[0]
    plan = repository.plan()
    assert plan == pickle.loads(pickle.dumps(plan)) == repository.plan() != repository.plan(backup=made)
    assert hash(plan) == hash(repository.plan())
    assert plan.steps[0][1].backup == made.backup
    assert "1 steps" in repr(plan)
    assert made.backup in str(plan)
    assert "<svg" in plan._repr_html_()
    assert "<circle" in repository.catalogue()._repr_html_()
    assert json.loads(plan.to_json())["hash"] == plan.hash
    repository.restore(tmp_path / "new.redb", pickle.loads(pickle.dumps(plan)))
    assert EmbeddedCluster.open(tmp_path / "new.redb").hash("app") == cluster.hash("app")


def test_questions_are_answered(repository: Repository, cluster: EmbeddedCluster) -> None:
    made = repository.backup(cluster).backups[0]
    until = made.window.until
    assert until.tzinfo is timezone.utc
    windows = repository.windows()
    assert until in windows
    assert until - timedelta(seconds=1) not in windows
    assert windows.newest == until
    assert "app" in str(windows)
    assert repository.check(at=until)
    refused = repository.check(at="2001-01-01T00:00:00Z")
    assert not refused
    assert refused.error == "BROKEN_CHAIN"
    assert "Reached" in str(repository.explain())
    catalogue = repository.catalogue()
    assert [backup.id for backup in catalogue] == [made.backup]
    assert catalogue[made.backup].part == "app"
    assert repository.clusters()[0].id == cluster.describe().identity.id
    assert cluster.capabilities()["incremental"] is True


def test_a_copy_is_a_repository(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    repository.backup(cluster)
    assert repository.copy(tmp_path / "copy").is_whole
    there = Repository.open(tmp_path / "copy")
    assert there.info.repository == repository.info.repository
    assert there.verify(depth="decode").is_whole
    there.restore(tmp_path / "new.redb")
    assert EmbeddedCluster.open(tmp_path / "new.redb").hash("app") == cluster.hash("app")


def test_damage_is_found_and_told(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    made = repository.backup(cluster).backups[0]
    assert repository.verify().is_whole
    data = min((tmp_path / "backups" / made.manifest).parent.glob("data/*"))
    body = bytearray(data.read_bytes())
    body[-1] ^= 1
    data.write_bytes(body)
    report = repository.verify(made)
    assert not report.is_whole
    assert report.backups[0].findings[0].kind == "CORRUPT"
    with pytest.raises(strongroom.BrokenChainError, match="CORRUPT"):
        repository.plan()


def test_a_prune_keeps_what_the_policy_keeps(repository: Repository, cluster: EmbeddedCluster) -> None:
    for number in range(3):
        cluster.put("app", number, {"value": "changed"}, set="users")
        repository.backup(cluster, kind="base")
    ids = [backup.id for backup in repository.catalogue()]
    policy = RetentionPolicy(keep_last=1, keep_within=timedelta(0))
    report = repository.prune(policy, dry_run=True)
    assert {one["backup"] for one in report.condemned.backups} == set(ids[:2])
    assert len(repository.catalogue().condemned) == 0
    repository.pin(ids[0], reason="the first", by="tests")
    assert [pin.reason for pin in repository.catalogue()[ids[0]].pins] == ["the first"]
    report = repository.prune({"keep_last": 1}, grace="24h")
    assert {one["backup"] for one in report.condemned.backups} == {ids[1]}
    assert report.condemned.due is not None
    assert report.condemned.due > datetime.now(timezone.utc)
    assert [pin.by for pin in repository.unpin(ids[0])] == ["tests"]


def test_the_last_point_is_not_deleted_by_mistake(repository: Repository, cluster: EmbeddedCluster) -> None:
    made = repository.backup(cluster).backups[0]
    with pytest.raises(strongroom.BrokenChainError, match="last point"):
        repository.delete(made)
    assert repository.delete(made, last=True, dry_run=True).refusal is None
    assert repository.catalogue().condemned == []
    repository.delete(made, last=True)
    assert repository.catalogue().condemned == [made.backup]


def test_a_hold_is_released_by_who_set_it(repository: Repository, cluster: EmbeddedCluster) -> None:
    made = repository.backup(cluster).backups
    repository.hold(made, reason="case 12", by="legal")
    with pytest.raises(PermissionError, match="legal"):
        repository.release(made, by="somebody")
    assert len(repository.release(made, by="legal")) == 1


def test_a_chain_is_merged(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    repository.backup(cluster)
    cluster.put("app", "new", {"value": 1})
    repository.backup(cluster)
    made = repository.synthesize("app")
    assert len(made.made_from) == 2
    repository.restore(tmp_path / "new.redb", backup=made.backup)
    assert EmbeddedCluster.open(tmp_path / "new.redb").hash("app") == cluster.hash("app")


def test_a_sealed_repository_needs_its_key(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    strongroom.new_key(tmp_path / "ops.key")
    assert (tmp_path / "ops.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        strongroom.new_key(tmp_path / "ops.key")
    profiles = tmp_path / "strongroom.toml"
    profiles.write_text(
        f'[repositories.main]\nurl = "{tmp_path}/sealed"\ncodecs = "zstd,seal"\nkeys = ["ops"]\n'
        f'[keys.ops]\nfile = "{tmp_path}/ops.key"\n'
    )
    repository = Repository.init("main", profiles=profiles)
    repository.backup(cluster)
    assert Repository.open("main", profiles=profiles).verify(depth="decode").is_whole
    assert len(Repository.open(tmp_path / "sealed", keys="ops", profiles=profiles).catalogue()) == 1
    with pytest.raises(strongroom.DeniedError):
        Repository.open(tmp_path / "sealed")


def test_a_dry_run_stores_nothing(repository: Repository, cluster: EmbeddedCluster) -> None:
    report = repository.backup(cluster, dry_run=True)
    assert report.backups == []
    assert report.parts[0].estimate is not None
    assert report.parts[0].estimate.kind == "base"
    assert len(repository.catalogue()) == 0


def test_tables_are_chosen(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    cluster.put("app", 1, {"value": 1}, set="orders")
    repository.backup(cluster, table="orders")
    repository.restore(tmp_path / "new.redb", table=["orders"])
    assert EmbeddedCluster.open(tmp_path / "new.redb").namespaces()["app"]["sets"] == {"orders": 1}


async def test_the_same_for_asyncio(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    repository = await AsyncRepository.init(tmp_path / "backups")
    report = await repository.backup(cluster)
    plan = await repository.plan(at=report.backups[0].window.until)
    await repository.restore(tmp_path / "new.redb", plan)
    assert EmbeddedCluster.open(tmp_path / "new.redb").hash("app") == cluster.hash("app")
    assert (await repository.verify()).is_whole
    assert len(await repository.catalogue()) == 1
    with pytest.raises(FileNotFoundError):
        await AsyncRepository.open(tmp_path / "nothing")


def test_both_have_every_call() -> None:
    for name in vars(strongroom.Calls):
        if not name.startswith("_"):
            assert callable(getattr(Repository, name)), name
            assert callable(getattr(AsyncRepository, name)), name
            assert getattr(Repository, name).__doc__ == getattr(strongroom.Calls, name).__doc__, name
