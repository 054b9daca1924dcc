"""Backs up and restores one large piece, from a cluster and through a storage that are both written in Python.

Called by `test_endurance.py` in a process of its own: `large_piece.py BYTES LIMIT_MIB`. Fails if it took more memory, or if what
came back is not what was sent.
"""

import hashlib
import resource
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, Literal

import strongroom
from strongroom import Applied, Description, FreezeRequest, FrozenPart, ObjectMeta, PieceSpec, PieceSummary, Repository

CHUNK = 1 << 20


class Folder(strongroom.Storage):
    """Objects as files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, key: str, mode: Literal["create-new", "overwrite"]) -> "FolderUpload":
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return FolderUpload(key, path, path.open("xb" if mode == "create-new" else "wb"))

    def read(self, key: str, range: tuple[int, int] | None) -> Iterator[bytes]:
        path = self.root / key
        start, end = range or (0, path.stat().st_size)
        if not start <= end <= path.stat().st_size:
            raise ValueError("beyond the end")
        return self._chunks(path, start, end)

    def _chunks(self, path: Path, start: int, end: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(start)
            while start < end:
                chunk = file.read(min(CHUNK, end - start))
                start += len(chunk)
                yield chunk

    def stat(self, key: str) -> ObjectMeta:
        return ObjectMeta(key, (self.root / key).stat().st_size)

    def list(self, prefix: str) -> Iterator[ObjectMeta]:
        files = [path for path in self.root.rglob("*") if path.is_file()]
        keys = [str(path.relative_to(self.root)) for path in files]
        return iter([self.stat(key) for key in keys if key.startswith(prefix)])

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)


class FolderUpload(strongroom.Upload):
    def __init__(self, key: str, path: Path, file: BinaryIO) -> None:
        self.key, self.path, self.file = key, path, file

    def write(self, chunk: bytes) -> None:
        self.file.write(chunk)

    def finish(self) -> ObjectMeta:
        self.file.close()
        return ObjectMeta(self.key, self.path.stat().st_size)

    def abort(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


class OnePiece(strongroom.Cluster):
    """A cluster of one piece of so many bytes, which keeps the hash of what it gave and of what it got."""

    def __init__(self, size: int) -> None:
        self.size, self.given, self.got = size, "", ""

    def describe(self) -> Description:
        return Description("6f1c9d0e-0000-4000-8000-000000000001", "one piece", {"app": strongroom.Part()})

    def freeze(self, request: FreezeRequest) -> list[FrozenPart]:
        return [FrozenPart("app", datetime.now(timezone.utc), [PieceSpec("piece", bytes=self.size)])]

    def read(self, piece: PieceSpec) -> Iterator[bytes | PieceSummary]:
        hashed = hashlib.blake2b()
        pattern = hashlib.shake_256(b"one piece").digest(CHUNK)
        for start in range(0, self.size, CHUNK):
            chunk = (start.to_bytes(8, "big") + pattern)[: min(CHUNK, self.size - start)]
            hashed.update(chunk)
            yield chunk
        self.given = hashed.hexdigest()
        yield PieceSummary(records=1)

    def write(self, session: Any, step: int, part: str, piece: PieceSpec, body: Any) -> Applied:
        hashed = hashlib.blake2b()
        for chunk in body:
            hashed.update(chunk)
        self.got = hashed.hexdigest()
        return Applied(1, 0)


def main(size: int, limit_mib: int) -> None:
    """Backs up, verifies and restores; then looks at the most memory there ever was."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = OnePiece(size), OnePiece(size)
        repository = Repository.init(Folder(Path(folder)), codecs="none")
        (made,) = repository.backup(source).backups
        assert made.totals.plain_bytes == size, made.totals
        assert repository.verify(depth="decode").is_whole
        repository.restore(target)
    assert source.given == target.got
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"a piece of {size / 2**20:.0f} MiB took {peak:.0f} MiB at most")
    assert peak < limit_mib, f"{peak:.0f} MiB were taken, {limit_mib} are allowed"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
