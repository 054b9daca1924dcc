"""Exceptions: one class for each code of the library, each also the builtin that Python people expect."""

from __future__ import annotations

import asyncio
import errno
from typing import ClassVar


class StrongroomError(Exception):
    """Whatever goes wrong in strongroom.

    ``code`` is the same in every language; ``advice`` says what to do, where that is known; ``causes`` are one line each,
    from the outermost. What the job did before it failed is in ``report``, where there is one.
    """

    code: ClassVar[str] = "INTERNAL"
    message: str
    advice: str | None
    causes: list[str]
    report: object | None

    def __init__(self, message: str, advice: str | None = None, causes: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.causes = causes or []
        self.report = None

    def __str__(self) -> str:
        text = self.message if self.advice is None else f"{self.message} ({self.advice})"
        return "\n  because: ".join([text, *self.causes])

    def __reduce__(self) -> tuple[type[StrongroomError], tuple[str, str | None, list[str]]]:
        return type(self), (self.message, self.advice, self.causes)

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed later with nothing changed."""
        return self.code == "UNAVAILABLE"


class NotFoundError(StrongroomError, FileNotFoundError, KeyError):
    """The named thing does not exist. Check the name."""

    code = "NOT_FOUND"
    __init__ = StrongroomError.__init__
    __str__ = StrongroomError.__str__


class AlreadyExistsError(StrongroomError, FileExistsError):
    """The named thing exists and must not be replaced."""

    code = "ALREADY_EXISTS"
    __init__ = StrongroomError.__init__
    __str__ = StrongroomError.__str__


class InvalidError(StrongroomError, ValueError):
    """The request or its input makes no sense. Change the request."""

    code = "INVALID"


class UnsupportedError(StrongroomError, NotImplementedError):
    """Valid, but this adapter, format or version cannot do it."""

    code = "UNSUPPORTED"


class DeniedError(StrongroomError, PermissionError):
    """Credentials or keys are missing or wrong. Retrying does not help."""

    code = "DENIED"
    __init__ = StrongroomError.__init__
    __str__ = StrongroomError.__str__


class UnavailableError(StrongroomError, ConnectionError):
    """A server, network or device does not answer now. Retrying later may help."""

    code = "UNAVAILABLE"
    __init__ = StrongroomError.__init__
    __str__ = StrongroomError.__str__


class NoSpaceError(StrongroomError, OSError):
    """No room is left where bytes were to be written. Free space, then resume."""

    code = "NO_SPACE"
    __init__ = StrongroomError.__init__
    __str__ = StrongroomError.__str__


class CorruptError(StrongroomError, ValueError):
    """Stored bytes are not what was stored. Use another copy or an earlier backup."""

    code = "CORRUPT"


class BrokenChainError(StrongroomError, LookupError):
    """No complete chain of backups reaches the asked point."""

    code = "BROKEN_CHAIN"


class CancelledError(StrongroomError):
    """The job was cancelled."""

    code = "CANCELLED"


class InternalError(StrongroomError, RuntimeError):
    """A defect of strongroom. Please report it."""

    code = "INTERNAL"


CLASSES: dict[str, type[StrongroomError]] = {
    cls.code: cls
    for cls in (
        NotFoundError,
        AlreadyExistsError,
        InvalidError,
        UnsupportedError,
        DeniedError,
        UnavailableError,
        NoSpaceError,
        CorruptError,
        BrokenChainError,
        CancelledError,
        InternalError,
    )
}


def make(code: str, message: str, advice: str | None, causes: list[str]) -> StrongroomError:
    """The exception of a code. Called by the native half."""
    return CLASSES.get(code, InternalError)(message, advice, causes)


#: What builtin exceptions of somebody's own adapter mean, most special first.
BUILTINS: list[tuple[type[BaseException], str]] = [
    (FileNotFoundError, "NOT_FOUND"),
    (KeyError, "NOT_FOUND"),
    (FileExistsError, "ALREADY_EXISTS"),
    (PermissionError, "DENIED"),
    (NotImplementedError, "UNSUPPORTED"),
    (asyncio.CancelledError, "CANCELLED"),
    (OSError, "UNAVAILABLE"),
    (ValueError, "INVALID"),
]


def describe(error: BaseException) -> tuple[str, str, str | None]:
    """Code, message and advice of an exception that an adapter raised. Called by the native half."""
    if isinstance(error, StrongroomError):
        return error.code, error.message, error.advice
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "NO_SPACE", what, None
    return next((code for kind, code in BUILTINS if isinstance(error, kind)), "INTERNAL"), what, None
