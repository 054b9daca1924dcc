"""Adapters written in Python, plain and async: the contracts, and whole backups and restores through them."""

import asyncio
import sqlite3
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
import strongroom
from memory_storage import MemoryStorage, MemoryUpload
from strongroom import AsyncRepository, EmbeddedCluster, ObjectMeta, Repository, testing

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from sqlite_cluster import SQLiteCluster  # type: ignore[import-not-found]


class AsyncStorage(strongroom.Storage):
    """The same, every method async, and on one loop alone."""

    def __init__(self) -> None:
        self.inner, self.loops = MemoryStorage(), set[asyncio.AbstractEventLoop]()

    async def _turn(self) -> None:
        self.loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)

    async def create(self, key: str, mode: Literal["create-new", "overwrite"]) -> "AsyncUpload":
        await self._turn()
        return AsyncUpload(self, self.inner.create(key, mode))

    async def read(self, key: str, range: tuple[int, int] | None) -> AsyncIterator[bytes]:
        await self._turn()
        return self._chunks(self.inner.read(key, range))

    async def _chunks(self, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        for chunk in chunks:
            await self._turn()
            yield chunk

    async def stat(self, key: str) -> ObjectMeta:
        await self._turn()
        return self.inner.stat(key)

    async def list(self, prefix: str) -> AsyncIterator[ObjectMeta]:
        for meta in self.inner.list(prefix):
            yield meta

    async def delete(self, key: str) -> None:
        await self._turn()
        self.inner.delete(key)


class AsyncUpload(strongroom.Upload):
    def __init__(self, storage: AsyncStorage, inner: MemoryUpload) -> None:
        self.storage, self.inner = storage, inner

    async def write(self, chunk: bytes) -> None:
        await self.storage._turn()
        self.inner.write(chunk)

    async def finish(self) -> ObjectMeta:
        await self.storage._turn()
        return self.inner.finish()


@pytest.mark.parametrize("kind", [MemoryStorage, AsyncStorage])
def test_storages_keep_the_contract(kind: type[strongroom.Storage]) -> None:
    testing.storage_contract(kind())


def test_a_broken_promise_is_named() -> None:
    class Forgetful(MemoryStorage):
        def list(self, prefix: str) -> Iterator[ObjectMeta]:
            return iter(list(super().list(prefix))[1:])

    with pytest.raises(AssertionError, match="storage contract"):
        testing.storage_contract(Forgetful())


@pytest.mark.parametrize("kind", [MemoryStorage, AsyncStorage])
def test_backups_rest_in_a_storage_of_ones_own(
    kind: type[strongroom.Storage], cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    storage = kind()
    repository = Repository.init(storage)
    assert kind.__name__ in repr(repository)
    repository.backup(cluster)
    cluster.delete("app", 1, set="users")
    repository.backup(cluster)
    again = Repository.open(storage)
    assert again.verify(depth="decode").is_whole
    again.restore(tmp_path / "new.redb", journal=kind())
    assert EmbeddedCluster.open(tmp_path / "new.redb").hash("app") == cluster.hash("app")
    assert again.copy(kind()).is_whole


async def test_an_async_adapter_stays_on_the_loop_it_came_from(cluster: EmbeddedCluster) -> None:
    storage = AsyncStorage()
    repository = await AsyncRepository.init(storage)
    await repository.backup(cluster)
    assert storage.loops == {asyncio.get_running_loop()}


def test_what_an_adapter_raises_is_the_cause(cluster: EmbeddedCluster) -> None:
    class Full(MemoryStorage):
        full = False

        def create(self, key: str, mode: Any) -> MemoryUpload:
            if self.full:
                raise OSError(28, "no room")
            return super().create(key, mode)

    storage = Full()
    repository = Repository.init(storage)
    storage.full = True
    with pytest.raises(strongroom.NoSpaceError, match="no room"):
        repository.backup(cluster)
    storage.full = False
    repository.backup(cluster)
    assert len(repository.catalogue()) == 1


class Packing(strongroom.Codec):
    """zlib with a checksum, so that it notices changed bytes."""

    id = "zlib"

    def begin(self, repository: str, part: str, salt: bytes) -> "PackingCoder":
        return PackingCoder()


class PackingCoder(strongroom.FrameCoder):
    def encode(self, index: int, last: bool, plain: bytes) -> bytes:
        packed = zlib.compress(plain, 1)
        return zlib.crc32(packed).to_bytes(4, "big") + packed

    def decode(self, index: int, last: bool, coded: bytes, limit: int) -> bytes:
        inflating = zlib.decompressobj()
        plain = inflating.decompress(coded[4:], limit + 1)
        if not inflating.eof or inflating.unused_data or zlib.crc32(coded[4:]).to_bytes(4, "big") != coded[:4]:
            raise ValueError("this is no frame")
        return plain


def test_a_codec_keeps_the_contract() -> None:
    testing.codec_contract(Packing(), "bytes")


def test_a_repository_keeps_what_a_codec_of_ones_own_wrote(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    storage = MemoryStorage()
    with pytest.raises(strongroom.UnsupportedError, match="zlib"):
        Repository.init(storage, codecs="zlib")
    assert not storage.objects
    repository = Repository.init(storage, codecs="zstd:1,zlib", own_codecs=[Packing()])
    assert repository.info.codecs == ["zstd", "zlib"]
    repository.backup(cluster)
    drill = EmbeddedCluster.open(tmp_path / "drill.redb", create=True)
    Repository.open(storage, own_codecs=[Packing()]).restore(drill)
    assert drill.hash("app") == cluster.hash("app")

    with pytest.raises(strongroom.UnsupportedError, match="unknown codec 'zlib'") as refused:
        Repository.open(storage)
    assert "of your own" in (refused.value.advice or "")
    stranger = Repository.open(storage, codecs="none")
    assert len(stranger.catalogue()) == 1
    with pytest.raises(strongroom.UnsupportedError):
        stranger.restore(tmp_path / "empty.redb")


async def test_a_codec_of_ones_own_under_asyncio(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    storage = MemoryStorage()
    repository = await AsyncRepository.init(storage, codecs="zlib", own_codecs=[Packing()])
    await repository.backup(cluster)
    drill = EmbeddedCluster.open(tmp_path / "drill.redb", create=True)
    await repository.restore(drill)
    assert drill.hash("app") == cluster.hash("app")


def test_names_of_codecs_are_not_taken_twice() -> None:
    packing = Packing()
    packing.id = "zstd"
    with pytest.raises(strongroom.InvalidError, match="cannot be named 'zstd'"):
        Repository.init(MemoryStorage(), own_codecs=[packing])
    with pytest.raises(strongroom.AlreadyExistsError, match="two codecs are named 'zlib'"):
        Repository.init(MemoryStorage(), own_codecs=[Packing(), Packing()])


def test_a_codec_that_claims_too_much_is_found() -> None:
    with pytest.raises(AssertionError, match="codec contract"):
        testing.codec_contract(Packing(), "place")


class SQLiteFixture(testing.ClusterFixture):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.cluster = SQLiteCluster(folder / "app.db")

    def _db(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "app.db", timeout=60)

    def change(self, seed: int) -> None:
        with closing(self._db()) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT, raw BLOB)")
            for number in range(20):
                row = [number * (1 + seed % 3), f"item {number} of {seed}", bytes([seed % 256, 0, 10])]
                db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", row)
            db.execute("DELETE FROM items WHERE id % 7 = ?", [seed % 7])
            db.execute(f"CREATE TABLE IF NOT EXISTS 'made by {seed % 4}' (x, y)")
            db.execute(f"INSERT INTO 'made by {seed % 4}' VALUES (?, ?)", [seed - float("inf"), None])

    def contents(self) -> dict[str, bytes]:
        with closing(self._db()) as db:
            tables = [
                name
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if not name.startswith(("_", "sqlite"))
            ]
            rows = ((name, row) for name in tables for row in db.execute(f'SELECT rowid, * FROM "{name}"'))
            return {f"main/{name}/{row[0]}": repr(row[1:]).encode() for name, row in rows}

    def fresh_target(self) -> "SQLiteFixture":
        number = len(list(self.folder.parent.iterdir()))
        return SQLiteFixture(self.folder.parent / f"fresh-{number}")


def test_the_example_keeps_the_contract(tmp_path: Path) -> None:
    testing.cluster_contract(SQLiteFixture(tmp_path / "source"))


def test_the_example_is_restored_to_a_moment(tmp_path: Path) -> None:
    source = SQLiteFixture(tmp_path / "source")
    repository = Repository.init(tmp_path / "backups")
    states, moments = [], []
    for seed in range(4):
        source.change(seed)
        states.append(source.contents())
        (made,) = repository.backup(source.cluster).backups
        moments.append(made.window.until)
        assert made.kind == ("base" if seed == 0 else "incremental")
    assert len({tuple(state.items()) for state in states}) == 4
    for state, moment in zip(states, moments, strict=True):
        target = source.fresh_target()
        repository.restore(target.cluster, at=moment)
        assert target.contents() == state


def test_the_example_asks_for_a_base_when_its_copies_are_gone(tmp_path: Path) -> None:
    source = SQLiteFixture(tmp_path / "source")
    repository = Repository.init(tmp_path / "backups")
    kinds = []
    for seed in range(4):
        source.change(seed)
        kinds.append(repository.backup(source.cluster).backups[0].kind)
        if seed == 1:
            for copy in (tmp_path / "source").glob("app.db.frozen-*"):
                copy.unlink()
    assert kinds == ["base", "incremental", "base", "incremental"]


def test_the_example_is_short() -> None:
    text = (Path(__file__).parent.parent / "examples" / "sqlite_cluster.py").read_text()
    assert sum(1 for line in text.splitlines() if line.strip()) < 80
