"""Calls and jobs: the same one is waited for by a thread, or awaited by asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import json
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

from . import _native
from ._errors import StrongroomError
from ._reports import Progress

T = TypeVar("T")


def wait(task: _native.Task, cancel: Callable[[], None]) -> None:
    """Waits for its end. Interrupted (Ctrl-C), it cancels, waits until that has come to its end, and raises."""
    try:
        task.wait()
    except BaseException:
        cancel()
        task.wait()
        raise


async def ended(task: _native.Task, cancel: Callable[[], None]) -> None:
    """The same on an event loop: cancelled, it cancels, waits until that has come to its end, and raises."""
    try:
        await _told(task)
    except asyncio.CancelledError:
        cancel()
        await _told(task)
        raise


def _told(task: _native.Task) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not future.done():
            future.set_result(None)

    def tell_loop() -> None:
        # The loop may be closed by now: then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell)

    task.on_done(tell_loop)
    return future


class Call(Generic[T]):
    """Something short that runs: ``call.result()`` waits for it, ``await call`` awaits it."""

    def __init__(self, task: _native.Task, read: Callable[[Any], T]) -> None:
        self._task = task
        self._read = read

    def result(self) -> T:
        """Waits for it. Raises its error."""
        wait(self._task, self._task.cancel)
        return self._read(self._task.result())

    def __await__(self) -> Generator[Any, None, T]:
        yield from ended(self._task, self._task.cancel).__await__()
        return self._read(self._task.result())


class Job(Generic[T]):
    """A running job. Wait with ``result()`` or ``await job``; iterate over it for its events.

    As a context manager, plain or async, it ends with its block: it is waited for, and cancelled if the block raises.
    A job that nothing holds any more is cancelled.
    """

    def __init__(self, native: _native.Job, read: Callable[[dict[str, Any]], T]) -> None:
        self._native = native
        self._read = read

    @property
    def name(self) -> str:
        """What it does, in one word."""
        return self._native.name

    @property
    def progress(self) -> Progress:
        """The counters now."""
        return Progress.from_json(json.loads(self._native.progress()))

    def done(self) -> bool:
        """Whether it has ended."""
        return self._native.done()

    def cancel(self) -> None:
        """Asks it to end. It ends with ``CancelledError`` unless it was done already."""
        self._native.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for its end, at most ``timeout`` seconds, and says whether it has ended. Raises no error of the job."""
        task = self._native.ended()
        if timeout is None:
            wait(task, self.cancel)
            return True
        try:
            return task.wait(timeout)
        except BaseException:
            self.cancel()
            task.wait()
            raise

    def result(self) -> T:
        """Waits for its report. Raises its error; what was done all the same is in the error's ``report``."""
        self.wait()
        return self._outcome()

    def error(self) -> StrongroomError | None:
        """Waits for its end, and gives its error, if it has one."""
        self.wait()
        try:
            self._outcome()
        except StrongroomError as error:
            return error
        return None

    def _outcome(self) -> T:
        report, error = self._native.outcome() or (None, None)
        read = None if report is None else self._read(json.loads(report))
        if error is not None:
            error.report = read
            raise error
        if read is None:
            raise RuntimeError(f"the {self.name} has not ended")
        return read

    def __await__(self) -> Generator[Any, None, T]:
        yield from ended(self._native.ended(), self.cancel).__await__()
        return self._outcome()

    def __iter__(self) -> Iterator[Progress]:
        """Its events: the counters whenever one has changed, and at the end. Leaving the loop does not end the job."""
        events = self._native.events()
        while True:
            task = events.next()
            wait(task, self.cancel)
            told = task.result()
            if told is None:
                return
            yield Progress.from_json(json.loads(told))

    async def __aiter__(self) -> AsyncIterator[Progress]:
        events = self._native.events()
        while True:
            task = events.next()
            await ended(task, task.cancel)
            told = task.result()
            if told is None:
                return
            yield Progress.from_json(json.loads(told))

    def __enter__(self) -> Job[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.result()
        else:
            self.cancel()
            self.wait()

    async def __aenter__(self) -> Job[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self
        else:
            self.cancel()
            await ended(self._native.ended(), self.cancel)

    def __repr__(self) -> str:
        return f"<Job {self.name}: {self.progress}>"

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            if not self._native.done():
                warnings.warn(
                    f"a running {self.name} was dropped, so it is cancelled", ResourceWarning, stacklevel=2, source=self
                )
