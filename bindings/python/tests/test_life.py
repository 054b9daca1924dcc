"""Jobs in their surroundings: events, cancel, Ctrl-C, the interpreter's end, threads, forks, event loops."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import strongroom
from strongroom import AsyncRepository, EmbeddedCluster, Repository

#: So slow that it never ends by itself while a test waits.
SLOW = "1KiB"


@pytest.fixture
def large(tmp_path: Path) -> EmbeddedCluster:
    """A cluster that takes hours at the slow rate."""
    cluster = EmbeddedCluster.open(tmp_path / "large.redb", create=True)
    cluster.put_many("app", [(number, {"raw": os.urandom(20_000)}) for number in range(500)])
    return cluster


def test_events_end_with_the_job(repository: Repository, cluster: EmbeddedCluster) -> None:
    with repository.start.backup(cluster) as job:
        events = list(job)
    assert events[-1].phase == "over"
    assert sum(event.phase == "over" for event in events) == 1
    assert (events[-1].records, events[-1].fraction) == (100, 1.0)
    assert job.done()
    assert job.progress.records == 100
    assert job.result().backups[0].kind == "base"
    assert job.error() is None
    assert "backup" in repr(job)


async def test_events_come_to_a_loop_too(repository: Repository, cluster: EmbeddedCluster) -> None:
    async with repository.start.backup(cluster) as job:
        phases = [event.phase async for event in job]
    assert phases[-1] == "over"
    assert (await job).backups[0].kind == "base"


def test_a_cancel_in_the_middle_leaves_nothing_that_looks_complete(
    repository: Repository, large: EmbeddedCluster
) -> None:
    job = repository.start.backup(large, limit_rate=SLOW)
    assert next(event for event in job if event.phase == "moving")
    assert not job.wait(0)
    job.cancel()
    with pytest.raises(strongroom.CancelledError):
        job.result()
    catalogue = repository.catalogue()
    assert len(catalogue) == 0
    (unfinished,) = catalogue.unfinished
    report = repository.resume(large, unfinished.run, take_over=True)
    assert report.backups[0].totals.records == 500
    assert repository.verify(depth="decode").is_whole


def test_a_block_that_raises_cancels(repository: Repository, large: EmbeddedCluster) -> None:
    with pytest.raises(ZeroDivisionError), repository.start.backup(large, limit_rate=SLOW) as job:
        1 / 0  # noqa: B018
    assert isinstance(job.error(), strongroom.CancelledError)


def test_a_job_that_is_dropped_is_cancelled_and_tells(repository: Repository, large: EmbeddedCluster) -> None:
    job = repository.start.backup(large, limit_rate=SLOW)
    ended = job._native.ended()
    with pytest.warns(ResourceWarning, match="dropped"):  # noqa: PT031
        del job
        gc.collect()
    ended.wait()
    assert len(repository.catalogue()) == 0


async def test_a_cancelled_await_cancels_the_job_and_waits(repository: Repository, large: EmbeddedCluster) -> None:
    again = await AsyncRepository.open(repository.start._native and Path(str(large.path)).parent / "backups")
    task = asyncio.ensure_future(again.backup(large, limit_rate=SLOW))
    job = repository.start.backup
    assert job is not None
    while not (await again.catalogue()).unfinished:
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await again.catalogue()) == 0


async def test_the_loop_goes_on_meanwhile(repository: Repository, cluster: EmbeddedCluster) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.ensure_future(turn())
    await repository.start.backup(cluster)
    turning.cancel()
    assert turns > 10


def test_the_gil_is_free_while_one_waits(repository: Repository, large: EmbeddedCluster) -> None:
    job = repository.start.backup(large, limit_rate=SLOW)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(job.error)
        job.cancel()
        assert isinstance(waiting.result(), strongroom.CancelledError)


def test_threads_share_a_repository(tmp_path: Path, repository: Repository) -> None:
    clusters = [EmbeddedCluster.open(tmp_path / f"{number}.redb", create=True) for number in range(6)]
    start = threading.Barrier(len(clusters))

    def work(cluster: EmbeddedCluster) -> str:
        cluster.put(f"app{clusters.index(cluster)}", 1, {"value": cluster.path})
        start.wait()
        made = repository.backup(cluster).backups[0].backup
        mine = cluster.describe().identity.id
        assert repository.plan(backup=made, cluster=mine).steps[0][1].backup == made
        return made

    with ThreadPoolExecutor(len(clusters)) as pool:
        made = set(pool.map(work, clusters))
    assert {backup.id for backup in repository.catalogue()} == made
    assert repository.verify().is_whole


START = """
import sys, strongroom
from pathlib import Path
folder = Path(sys.argv[1])
repository = strongroom.Repository.open(folder / "backups")
large = strongroom.EmbeddedCluster.open(folder / "large.redb")
"""


def script(folder: Path, text: str) -> "subprocess.Popen[str]":
    """Runs a program in a process of its own; the cluster's file is its own too."""
    gc.collect()
    command = [sys.executable, "-X", "faulthandler", "-c", START + text, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository and a large cluster that nobody has open."""
    Repository.init(tmp_path / "backups")
    made = EmbeddedCluster.open(tmp_path / "large.redb", create=True)
    made.put_many("app", [(number, {"raw": os.urandom(20_000)}) for number in range(500)])
    return tmp_path


CTRL_C = """
import signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests may ignore it
def tell():
    while not repository.catalogue().unfinished:
        pass
    print("running", flush=True)
threading.Thread(target=tell).start()
try:
    repository.backup(large, limit_rate="1KiB")
except KeyboardInterrupt:
    print("interrupted", len(repository.catalogue().unfinished), flush=True)
    raise
"""


def test_ctrl_c_stops_cleanly(folder: Path) -> None:
    running = script(folder, CTRL_C)
    assert running.stdout is not None
    assert running.stdout.readline() == "running\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert out == "interrupted 1\n"
    assert err.rstrip().endswith("KeyboardInterrupt")
    repository, large = Repository.open(folder / "backups"), EmbeddedCluster.open(folder / "large.redb")
    (unfinished,) = repository.catalogue().unfinished
    assert repository.resume(large, unfinished.run, take_over=True).backups[0].totals.records == 500


ENDS = {
    "a job runs": 'job = repository.start.backup(large, limit_rate="1KiB")',
    "a thread waits": """
import threading
job = repository.start.backup(large, limit_rate="1KiB")
threading.Thread(target=job.error, daemon=True).start()
""",
    "an adapter's job runs": """
class Slow(strongroom.Storage):
    async def create(self, key, mode):
        import asyncio
        await asyncio.sleep(3600)
    async def read(self, key, range): raise FileNotFoundError(key)
    async def stat(self, key): raise FileNotFoundError(key)
    def list(self, prefix): return []
    async def delete(self, key): pass
import asyncio
async def main():
    task = asyncio.ensure_future(strongroom.AsyncRepository.init(Slow()))
    await asyncio.sleep(0.01)
    global kept
    kept = repository.start.copy(Slow())
asyncio.run(main())
""",
}


@pytest.mark.parametrize("how", ENDS)
def test_the_interpreter_ends_while(how: str, folder: Path) -> None:
    running = script(folder, ENDS[how] + "\nprint('end', flush=True)")
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (0, "end\n"), err
    assert "Fatal" not in err
    assert "panicked" not in err


FORK = """
import os, gc
job = repository.start.verify()
child = os.fork()
if child == 0:
    for use in (repository.catalogue, lambda: strongroom.Repository.open(folder / "backups"), job.result):
        try:
            use()
        except strongroom.UnsupportedError as error:
            print("refused", "fork" in str(error), flush=True)
    del job, repository, large, use
    gc.collect()
    print("collected", flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
job.result()
print("parent", len(repository.catalogue()), flush=True)
"""


def test_a_forked_child_is_told_and_does_not_hang(folder: Path) -> None:
    running = script(folder, FORK)
    out, err = running.communicate(timeout=60)
    assert out.splitlines() == ["refused True"] * 3 + ["collected", "parent 0"], err
    assert running.returncode == 0
