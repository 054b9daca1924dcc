"""Records of an embedded cluster as Python has them."""

from datetime import datetime, timedelta, timezone

import pytest
from strongroom import EmbeddedCluster, NotFoundError, OpenCluster, UnsupportedError

VALUES = {
    "whole": -(2**63),
    "real": 1.5,
    "text": "é",
    "raw": b"\x00\xff",
    "flag": True,
    "list": [1, "a", b"b", None, [2.5, False]],
    "map": {"a": {1: "x"}, "b": []},
}


@pytest.mark.parametrize("key", [7, "seven", b"\x07", 7.5])
def test_values_come_back_as_they_were(cluster: EmbeddedCluster, key: object) -> None:
    expires = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=1)
    cluster.put("app", key, VALUES, set="all", expires=expires)  # type: ignore[arg-type]
    record = cluster.get("app", key, set="all")  # type: ignore[arg-type]
    assert record.bins == VALUES
    assert {name: record[name] for name in VALUES} == VALUES
    assert (record.namespace, record.set, record.key, record.generation) == ("app", "all", key, 1)
    assert record.expires == expires
    assert len(record.digest) == 20
    assert f"key={key!r}" in repr(record)
    assert record == cluster.get("app", key, set="all")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        record["no such bin"]
    with pytest.raises(NotFoundError):
        cluster.get("app", key, set="all", now=expires)  # type: ignore[arg-type]


def test_scans_give_everything_once(cluster: EmbeddedCluster) -> None:
    keys = [record.key for record in cluster.scan("app", batch=7)]
    assert sorted(keys) == list(range(100))  # type: ignore[type-var]
    assert [len(batch) for batch in cluster.batches("app", batch=64)] == [64, 36]
    assert list(cluster.scan("app", set="nobody")) == []
    assert cluster.empty("app", set="users") == 100
    assert list(cluster.scan("app")) == []


def test_a_live_cluster_gives_no_records() -> None:
    live = OpenCluster.open("aerospike://127.0.0.1:1")
    with pytest.raises(UnsupportedError):
        live._native.records()
