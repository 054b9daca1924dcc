"""Runs a number of jobs that end in every way, and fails if memory, threads, files or objects are left behind.

Called by `test_endurance.py` in a process of its own: `many_jobs.py JOBS`.
"""

import asyncio
import contextlib
import gc
import sys
import tempfile
import warnings
from pathlib import Path

import strongroom

sys.path.insert(0, str(Path(__file__).parent.parent))
from memory_storage import MemoryStorage
from strongroom import AsyncRepository, EmbeddedCluster, Job, Repository

#: What a round begins: seven jobs that succeed, one that fails, one that is cancelled, one that is dropped.
JOBS_A_ROUND = 10
#: What an allocator may keep for itself.
GROWTH_MIB = 24
#: The pool of threads that wait for plain methods grows with what runs at once, and shrinks after seconds.
THREADS = 100


def plain_round(source: EmbeddedCluster, target: EmbeddedCluster) -> None:
    """Jobs that are waited for, iterated over, cancelled and dropped."""
    repository = Repository.init(MemoryStorage())
    repository.backup(source, kind="base")
    assert [event.phase for event in repository.start.verify()][-1] == "over"
    repository.restore(target, conflict="replace")
    with repository.start.copy(MemoryStorage()) as copied:
        assert copied.result().is_whole
    repository.inspect().close()
    with contextlib.suppress(strongroom.BrokenChainError):
        repository.restore(target, at="2001-01-01T00:00:00Z")
    cancelled = repository.start.backup(source, limit_rate="1KiB")
    cancelled.cancel()
    assert isinstance(cancelled.error(), strongroom.StrongroomError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        dropped: Job[strongroom.BackupReport] | None = repository.start.backup(source, limit_rate="1KiB")
        assert dropped is not None
        ended = dropped._native.ended()
        dropped = None
        gc.collect()
    ended.wait()
    assert repository.verify(depth="decode").is_whole
    repository.prune(strongroom.RetentionPolicy(keep_last=1))


async def awaited_round(source: EmbeddedCluster, target: EmbeddedCluster) -> None:
    """The same kinds of jobs on an event loop."""
    repository = await AsyncRepository.init(MemoryStorage())
    await repository.backup(source, kind="base")
    async with repository.start.verify() as job:
        assert [event.phase async for event in job][-1] == "over"
    await repository.restore(target, conflict="replace")
    await asyncio.gather(repository.copy(MemoryStorage()), repository.verify())
    with contextlib.suppress(strongroom.BrokenChainError):
        await repository.restore(target, at="2001-01-01T00:00:00Z")
    waiting = asyncio.ensure_future(repository.backup(source, limit_rate="1KiB"))
    await asyncio.sleep(0)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    with contextlib.suppress(ZeroDivisionError):
        async with repository.start.backup(source, limit_rate="1KiB"):
            1 / 0  # noqa: B018
    await repository.verify(depth="decode")
    await repository.prune(strongroom.RetentionPolicy(keep_last=1))


def resident_mib() -> float:
    """What of this process is in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def left() -> tuple[float, int, int, int]:
    """Memory in MiB, threads, open files, and objects that Python keeps."""
    gc.collect()
    threads = len(list(Path("/proc/self/task").iterdir()))
    return resident_mib(), threads, len(list(Path("/proc/self/fd").iterdir())), len(gc.get_objects())


def main(jobs: int) -> None:
    """Runs them, and compares what is left after a fifth of them with what is left at the end."""
    rounds = max(5, jobs // JOBS_A_ROUND)
    with tempfile.TemporaryDirectory() as folder:
        source = EmbeddedCluster.open(Path(folder) / "source.redb", create=True)
        source.put_many("app", [(number, {"raw": bytes(1000)}) for number in range(20)])
        target = EmbeddedCluster.open(Path(folder) / "target.redb", create=True)
        before = left()
        for number in range(rounds):
            if number == rounds // 5:
                before = left()
            if number % 2:
                asyncio.run(awaited_round(source, target))
            else:
                plain_round(source, target)
        after = left()
    names = ("MiB", "threads", "files", "objects")
    told = ", ".join(
        f"{now:.0f} {name} ({now - then:+.1f})" for name, then, now in zip(names, before, after, strict=True)
    )
    print(f"{rounds * JOBS_A_ROUND} jobs left {told}")
    assert after[0] - before[0] < GROWTH_MIB, told
    assert after[1] <= THREADS, f"threads were left: {told}"
    assert after[2] <= before[2] + 2, f"files were left: {told}"
    assert after[3] - before[3] < rounds, f"objects were left: {told}"


if __name__ == "__main__":
    main(int(sys.argv[1]))
