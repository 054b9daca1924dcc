"""The contract of storages, clusters and codecs as tests: one call in an adapter's own tests.

from strongroom import testing

def test_my_storage():
testing.storage_contract(MyStorage())
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Literal

from . import _native
from ._adapters import Cluster, Codec, Maybe, Storage
from ._job import Call
from ._ports import Port, native_cluster, native_codec, native_storage

__all__ = ["ClusterFixture", "cluster_contract", "codec_contract", "storage_contract"]


def _judge(task: _native.Task) -> None:
    broken = Call(task, json.loads).result()
    if broken is not None:
        raise AssertionError(broken)


def storage_contract(storage: Storage, prefix: str = "contract/") -> None:
    """Checks every promise of a storage below ``prefix``, where nothing may be yet. Moves about 50 MB.

    Raises ``AssertionError`` with the promise that is broken.
    """
    _judge(_native.storage_contract(native_storage(storage, on_loop=False), prefix))


def codec_contract(codec: Codec, binding: Literal["none", "bytes", "place"] = "none") -> None:
    """Checks every promise of a codec. ``binding`` is what it notices: changed bytes, or frames in a wrong place too."""
    _judge(_native.codec_contract(native_codec(codec), binding))


class ClusterFixture(ABC):
    """What `cluster_contract` needs beside the cluster itself: a way to fill it, and to look into it."""

    cluster: Cluster

    @abstractmethod
    def change(self, seed: int) -> Maybe[None]:
        """Writes something new, and replaces and deletes something that is there. The same seed does the same."""

    @abstractmethod
    def contents(self) -> Maybe[dict[str, bytes]]:
        """Everything that a backup must bring back, comparable: ``part/whatever names it`` to its bytes."""

    @abstractmethod
    def fresh_target(self) -> ClusterFixture:
        """Another cluster of this kind that holds nothing and can be restored into."""


class _FixturePort(Port):
    def __init__(self, fixture: ClusterFixture) -> None:
        super().__init__(None)
        self._fixture = fixture
        self.change = fixture.change
        self.contents = fixture.contents

    def fresh_target(self) -> tuple[_native.Cluster, _FixturePort]:
        fresh = self._fixture.fresh_target()
        return native_cluster(fresh.cluster, on_loop=False), _FixturePort(fresh)


def cluster_contract(fixture: ClusterFixture) -> None:
    """Checks every promise of a cluster, as far as its capabilities say that it makes them."""
    _judge(_native.cluster_contract(native_cluster(fixture.cluster, on_loop=False), _FixturePort(fixture)))
