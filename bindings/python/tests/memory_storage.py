"""A storage in memory, for the tests of adapters and of many jobs."""

import builtins
import threading
from collections.abc import Iterator
from typing import Literal

import strongroom
from strongroom import ObjectMeta


class MemoryStorage(strongroom.Storage):
    """Objects in memory, every method plain."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lock = threading.Lock()

    def create(self, key: str, mode: Literal["create-new", "overwrite"]) -> "MemoryUpload":
        return MemoryUpload(self, key, new=mode == "create-new")

    def read(self, key: str, range: tuple[int, int] | None) -> Iterator[bytes]:
        body = self.objects[key]
        start, end = range or (0, len(body))
        if end > len(body) or start > end:
            raise ValueError("beyond the end")
        return (body[at : min(at + 100_000, end)] for at in builtins.range(start, end, 100_000))

    def stat(self, key: str) -> ObjectMeta:
        return ObjectMeta(key, len(self.objects[key]))

    def list(self, prefix: str) -> Iterator[ObjectMeta]:
        return iter([ObjectMeta(key, len(body)) for key, body in self.objects.items() if key.startswith(prefix)])

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)


class MemoryUpload(strongroom.Upload):
    def __init__(self, storage: MemoryStorage, key: str, *, new: bool) -> None:
        self.storage, self.key, self.new, self.chunks = storage, key, new, list[bytes]()

    def write(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def finish(self) -> ObjectMeta:
        with self.storage.lock:
            if self.new and self.key in self.storage.objects:
                raise FileExistsError(self.key)
            self.storage.objects[self.key] = b"".join(self.chunks)
        return self.storage.stat(self.key)
